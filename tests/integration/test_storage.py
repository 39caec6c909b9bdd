"""The stores' own clients against emulators by others: moto for S3, fake-gcs-server, and Azurite, which checks signatures.

What is stored is read, and written from outside, by the addresses that we sign.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from pytest_httpserver import HTTPServer

from jobs.errors import Duplicate, Invalid, Rejected, Transient, Unauthorized
from tasks import Context, catalogue, clients, http, load, storage
from tasks.integrations import azure, gcs, s3
from tasks.provider import providers
from tests.contract.integrations.entries.gcs import service_account
from tests.emulators import Azurite, Emulator, FakeGcs, Moto
from tests.servers import StartFailed

BUCKET, OTHER = "treadle-one", "treadle-two"
SERVICE_ACCOUNT = service_account()
ODD = "a b/ü+%3F#&=~'(1).txt"


def _s3(server: Emulator) -> dict[str, Any]:
    keys = {"access_key_id": "AKIATEST", "secret_access_key": "secret-of-the-test", "region": "eu-central-1"}
    return {**keys, "base_url": server.url, "bucket": BUCKET}


def _gcs(server: Emulator) -> dict[str, Any]:
    return {"service_account": SERVICE_ACCOUNT, "base_url": server.url, "bucket": BUCKET}


def _azure(server: Emulator) -> dict[str, Any]:
    keys = {"account_name": Azurite.account, "account_key": Azurite.key}
    return {**keys, "base_url": f"{server.url}/{Azurite.account}", "container": BUCKET}


def _make_buckets(name: str) -> None:
    account = providers[name].find()
    for bucket in (BUCKET, OTHER):
        if name == "s3":
            where = {"LocationConstraint": "eu-central-1"}
            s3.clients.get(account).create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
        elif name == "gcs":
            gcs.clients.get(account).create_bucket(bucket)
        else:
            azure.clients.get(account).create_container(bucket)


STORES: dict[str, tuple[type[Emulator], Callable[[Emulator], dict[str, Any]]]] = {
    "s3": (Moto, _s3),
    "gcs": (FakeGcs, _gcs),
    "azure": (Azurite, _azure),
}


@pytest.fixture(scope="module", params=STORES)
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, Emulator]]:
    started = STORES[request.param][0]()
    try:
        started.start()
    except StartFailed as why:
        started.remove()
        pytest.skip(str(why))
    yield request.param, started
    clients.close()
    started.remove()


_ready: set[int] = set()


@pytest.fixture
def store(server: tuple[str, Emulator], configure: Callable[..., None]) -> Iterator[str]:
    """The provider's name; its account is configured, and has two buckets."""
    name, emulator = server
    load()
    configure(**{f"accounts__{name}__{field}": value for field, value in STORES[name][1](emulator).items()})
    if emulator.port not in _ready:
        _make_buckets(name)
        _ready.add(emulator.port)
    yield name
    http.close()


def run(task: str, **payload: Any) -> Any:
    found = catalogue.find(task)
    return found.call(found.accept(payload), Context(uuid4(), task))


def get(store: str, key: str, **payload: Any) -> httpx2.Response:
    """Read an object by an address that we signed."""
    return httpx2.get(run(f"{store}.sign", key=key, **payload)["url"], trust_env=False)


@pytest.mark.parametrize("key", ["reports/1.txt", ODD])
def test_an_object_is_put_copied_and_deleted(store: str, key: str) -> None:
    made = run(f"{store}.put", key=key, text="Größe: 7")
    assert (made["bucket"], made["key"], made["bytes"]) == (BUCKET, key, 10)
    assert made["etag"]
    found = get(store, key)
    assert (found.status_code, found.text) == (200, "Größe: 7"), found.text
    assert found.headers["content-type"] == "text/plain; charset=utf-8"

    copied = run(f"{store}.copy", key=key, to_bucket=OTHER, to_key=f"copy of {key}")
    assert (copied["bucket"], copied["key"]) == (OTHER, f"copy of {key}")
    assert get(store, f"copy of {key}", bucket=OTHER).text == "Größe: 7"

    for _ in range(2):  # the second finds nothing, and is a success
        run(f"{store}.delete", key=key)
        assert get(store, key).status_code == 404


def test_bytes_come_as_base64_and_replace_what_was_there(store: str) -> None:
    run(f"{store}.put", key="logo", text="old")
    run(f"{store}.put", key="logo", base64="iVBORwD/", content_type="image/png")
    found = get(store, "logo")
    assert (found.content, found.headers["content-type"]) == (b"\x89PNG\x00\xff", "image/png")


def test_what_is_there_already_is_left_if_that_is_wished(store: str) -> None:
    run(f"{store}.put", key="once", text="first", only_if_absent=True)
    with pytest.raises(Duplicate):
        run(f"{store}.put", key="once", text="second", only_if_absent=True)
    assert get(store, "once").text == "first"


def test_an_object_is_written_by_an_address_that_we_signed(store: str) -> None:
    signed = run(f"{store}.sign", key="upload", method="PUT", content_type="text/csv", expires=60)
    answer = httpx2.put(signed["url"], content=b"a,b\n1,2\n", headers=signed["headers"], trust_env=False)
    assert answer.status_code < 300, answer.text
    assert get(store, "upload").text == "a,b\n1,2\n"


def test_the_content_of_a_url_is_fetched(store: str, httpserver: HTTPServer, configure: Callable[..., None]) -> None:
    httpserver.expect_request("/report").respond_with_data(b"%PDF-1", content_type="application/pdf")
    url = httpserver.url_for("/report")
    with pytest.raises(Rejected) as caught:
        run(f"{store}.put", key="fetched", url=url)
    assert caught.value.code == "private_target"
    configure(allow_private_targets=1)
    assert run(f"{store}.put", key="fetched", url=url)["bytes"] == 6
    assert get(store, "fetched").headers["content-type"] == "application/pdf"


def test_what_is_fetched_may_be_large(store: str, httpserver: HTTPServer, configure: Callable[..., None]) -> None:
    configure(allow_private_targets=1)
    large = b"0123456789abcdef" * (storage.FETCHED // 16)
    httpserver.expect_request("/large").respond_with_data(large)
    assert run(f"{store}.put", key="large", url=httpserver.url_for("/large"))["bytes"] == storage.FETCHED
    assert get(store, "large").content == large


def test_many_threads_store_at_once_by_one_client(store: str) -> None:
    with ThreadPoolExecutor(24) as threads:
        made = list(
            threads.map(lambda number: run(f"{store}.put", key=f"many/{number}", text=f"{number}" * 1000), range(96))
        )
    assert len({each["key"] for each in made}) == 96
    assert get(store, "many/7").text == "7" * 1000


def test_what_goes_wrong_at_the_url_says_nothing_of_the_account(
    store: str, httpserver: HTTPServer, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(allow_private_targets=1)
    monkeypatch.setattr(storage, "FETCHED", 1000)
    monkeypatch.setattr("tasks.health.report", lambda *_: pytest.fail("the account's health was told"))
    for path, status, size in (("/large", 200, 1001), ("/secret", 401, 0), ("/gone", 404, 0), ("/broken", 500, 0)):
        httpserver.expect_request(path).respond_with_data(b"x" * size, status=status)
    for path, becomes in (("/large", Rejected), ("/secret", Rejected), ("/gone", Rejected), ("/broken", Transient)):
        with pytest.raises(becomes) as caught:
            run(f"{store}.put", key="fetched", url=httpserver.url_for(path))
        assert not isinstance(caught.value, Unauthorized)


def test_a_bucket_that_is_not_there_is_refused(store: str) -> None:
    for operation, payload in (("put", {"text": "x"}), ("delete", {}), ("copy", {"to_key": "y", "to_bucket": "nowhere-1"})):
        if (store, operation) == ("gcs", "delete"):
            continue  # fake-gcs-server says of both that they are not found, in the same words
        with pytest.raises(Rejected) as caught:
            run(f"{store}.{operation}", key="x", bucket="nowhere-1", **payload)
        assert caught.value.status == 404, operation


def test_the_probe_looks_for_the_bucket(store: str, configure: Callable[..., None]) -> None:
    provider = providers[store]
    assert provider.check(provider.find()) is None
    field = "container" if store == "azure" else "bucket"
    configure(**{f"accounts__{store}__{field}": "nowhere-1"})
    wrong = provider.check(provider.find())
    assert isinstance(wrong, Rejected) and wrong.status == 404


def test_whoever_wants_something_stored_need_not_know_by_whom(store: str) -> None:
    made = run("storage.put", key="any/1.txt", text="stored")
    assert made["account"] == store
    run("storage.copy", key="any/1.txt", to_key="any/2.txt")
    assert httpx2.get(run("storage.sign", key="any/2.txt")["url"], trust_env=False).text == "stored"
    run("storage.delete", key="any/2.txt")
    assert get(store, "any/2.txt").status_code == 404


@pytest.mark.parametrize("server", ["azure"], indirect=True)  # the other emulators check no credentials
def test_a_wrong_key_is_unauthorized(store: str, configure: Callable[..., None]) -> None:
    configure(accounts__azure__account_key="d3Jvbmc=")
    with pytest.raises(Unauthorized) as caught:
        run("azure.put", key="x", text="x")
    assert "d3Jvbmc" not in repr(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"key": "../secrets"},
        {"key": "a/./b"},
        {"key": "ü" * 513},
        {"key": "a\nb"},
        {"bucket": "../b"},
        {"text": None},
        {"base64": "QQ=="},
        {"text": None, "base64": "Q"},
        {"text": None, "url": "ftp://example.com/a"},
        {"content_type": "text/plain\r\nx: y"},
    ],
)
def test_payloads_that_cannot_be(change: dict[str, Any]) -> None:
    load()
    with pytest.raises(Invalid):
        catalogue.find("s3.put").read({"key": "reports/1.txt", "text": "x"} | change)
