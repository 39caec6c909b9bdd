"""Elasticsearch's own client against noida-db, which plays a server of version 8; Algolia against its own library.

noida-db is one author's re-implementation, not Elasticsearch: of that no server can be had here.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from algoliasearch.http.hosts import Host, HostsCollection
from algoliasearch.search.client import SearchClientSync
from algoliasearch.search.config import SearchConfig
from pytest_httpserver import HTTPServer

from jobs.errors import Duplicate, Invalid, Rejected, Transient, Unauthorized
from tasks import Context, catalogue, clients, load
from tasks.integrations.elasticsearch import elasticsearch
from tasks.provider import providers
from tests.emulators import Noida
from tests.unit.tasks.peers import certified

LOOM = {"name": "Löom", "price": 1999}


@pytest.fixture(scope="module")
def server() -> Iterator[Noida]:
    started = Noida()
    started.start()
    mapping = {"mappings": {"properties": {"price": {"type": "integer"}}}}
    httpx2.put(f"{started.url}/products", json=mapping, trust_env=False).raise_for_status()
    yield started
    clients.close()
    started.remove()


@pytest.fixture
def found(server: Noida, configure: Callable[..., None]) -> Callable[[str], Any]:
    """What the server has under an id, in an account that is configured; None: nothing."""
    load()
    configure(
        accounts__elasticsearch__api_key="a2V5OnRoYXQtbm9ib2R5LWNoZWNrcw", accounts__elasticsearch__base_url=server.url
    )
    return lambda name: (
        httpx2.get(f"{server.url}/products/_doc/{name}", trust_env=False).raise_for_status().json().get("_source")
        if httpx2.head(f"{server.url}/products/_doc/{name}", trust_env=False).status_code == 200
        else None
    )


def run(task: str, **payload: Any) -> Any:
    known = catalogue.find(task)
    return known.call(known.accept(payload), Context(uuid4(), task))


def test_a_document_is_indexed_replaced_and_deleted(found: Callable[[str], Any]) -> None:
    assert run("elasticsearch.index", index="products", id="42", document=LOOM)["result"] == "created"
    assert found("42") == LOOM
    assert run("search.index", index="products", id="42", document={"name": "Shuttle"})["account"] == "elasticsearch"
    assert found("42") == {"name": "Shuttle"}
    assert run("elasticsearch.delete", index="products", id="42")["was_there"] is True
    assert found("42") is None
    assert run("elasticsearch.delete", index="products", id="42")["was_there"] is False


def test_a_document_that_is_there_may_be_left(found: Callable[[str], Any]) -> None:
    run("elasticsearch.index", index="products", id="once", document=LOOM, only_if_absent=True)
    with pytest.raises(Duplicate):
        run("elasticsearch.index", index="products", id="once", document={}, only_if_absent=True)
    assert found("once") == LOOM


def test_what_comes_late_does_not_replace_what_is_newer(found: Callable[[str], Any]) -> None:
    run("elasticsearch.index", index="products", id="v", document={"price": 2}, version=2)
    with pytest.raises(Duplicate):
        run("elasticsearch.index", index="products", id="v", document={"price": 1}, version=1)
    assert found("v") == {"price": 2}
    run("elasticsearch.index", index="products", id="v", document={"price": 3}, version=3)
    assert found("v") == {"price": 3}


def test_of_many_documents_each_has_its_answer(found: Callable[[str], Any]) -> None:
    assert run("elasticsearch.bulk", index="products", documents={"a": LOOM, "b/ü": LOOM})["indexed"] == 2
    assert found("a") == LOOM
    with pytest.raises(Rejected) as caught:
        run("elasticsearch.bulk", index="products", documents={"c": {"price": "no number"}, "d": LOOM})
    assert caught.value.status == 400
    assert [each["id"] for each in caught.value.detail["first"]] == ["c"]
    assert found("d") == LOOM


def test_a_document_that_does_not_fit_and_an_index_that_is_not_there_are_refused(found: Callable[[str], Any]) -> None:
    with pytest.raises(Rejected) as caught:
        run("elasticsearch.index", index="products", id="bad", document={"price": "no number"})
    assert caught.value.status == 400 and caught.value.code
    with pytest.raises(Rejected) as caught:
        run("elasticsearch.delete", index="nowhere", id="42")
    assert caught.value.code == "index_not_found_exception"


@pytest.mark.usefixtures("found")
def test_the_probe_asks_the_server_for_its_name() -> None:
    assert elasticsearch.check(elasticsearch.find()) is None


def test_a_server_certified_by_a_private_authority_is_believed_if_that_is_given(
    tmp_path: Path, configure: Callable[..., None]
) -> None:
    load()
    tls, certificate = certified(tmp_path, "localhost")
    with HTTPServer(ssl_context=tls) as server:
        answer = {"name": "x", "version": {"number": "9.5.0"}, "tagline": "You Know, for Search"}
        server.expect_request("/").respond_with_json(answer, headers={"X-Elastic-Product": "Elasticsearch"})
        configure(accounts__elasticsearch__api_key="a2V5OnNlY3JldA", accounts__elasticsearch__base_url=server.url_for(""))
        wrong = elasticsearch.check(elasticsearch.find())
        assert isinstance(wrong, Transient) and wrong.code == "connect"
        configure(accounts__elasticsearch__ca_certs=certificate)
        assert elasticsearch.check(elasticsearch.find()) is None
    clients.close()


@pytest.mark.parametrize(
    "change", [{"index": "Products"}, {"index": "_all"}, {"id": ""}, {"version": 1, "only_if_absent": True}]
)
def test_payloads_that_cannot_be(change: dict[str, Any]) -> None:
    load()
    with pytest.raises(Invalid):
        catalogue.find("elasticsearch.index").read({"index": "products", "id": "42", "document": LOOM} | change)


@pytest.fixture
def algolia(httpserver: HTTPServer, configure: Callable[..., None]) -> SearchClientSync:
    """Algolia's own client; ours has an account at the same place."""
    load()
    configure(
        accounts__algolia__app_id="TESTAPP",
        accounts__algolia__api_key="secret-key-1",
        accounts__algolia__base_url=httpserver.url_for(""),
    )
    httpserver.expect_request("/1/indexes/my products/batch", method="POST").respond_with_json(
        {"taskID": 7, "objectIDs": ["42"]}
    )
    config = SearchConfig("TESTAPP", "secret-key-1")
    config.hosts = HostsCollection([Host(url=httpserver.host, port=httpserver.port, scheme="http")])
    return SearchClientSync.create_with_config(config)


def test_documents_are_saved_as_algolias_own_library_does(algolia: SearchClientSync, httpserver: HTTPServer) -> None:
    result = run("algolia.save", index="my products", documents={"42": LOOM})
    assert result == {"index": "my products", "task_id": 7, "documents": 1}
    algolia.save_objects("my products", [{"objectID": "42", **LOOM}])
    _check_same(httpserver)


def test_documents_are_deleted_as_algolias_own_library_does(algolia: SearchClientSync, httpserver: HTTPServer) -> None:
    run("algolia.delete", index="my products", ids=["42"])
    algolia.delete_objects("my products", ["42"])
    _check_same(httpserver)


def _check_same(httpserver: HTTPServer) -> None:
    (ours, _), (theirs, _) = httpserver.log
    assert (ours.method, ours.full_path, ours.json) == (theirs.method, theirs.full_path, theirs.json)
    for name in ("x-algolia-application-id", "x-algolia-api-key"):
        assert ours.headers[name] == theirs.headers[name]


@pytest.mark.parametrize(("status", "wrong"), [(200, None), (403, Unauthorized)])
def test_the_probe_asks_for_the_key_and_never_shows_it(
    status: int, wrong: type[Exception] | None, algolia: SearchClientSync, httpserver: HTTPServer
) -> None:
    answer = {"message": "Invalid key secret-key-1", "status": status}
    httpserver.expect_request("/1/keys/secret-key-1").respond_with_json(answer, status=status)
    provider = providers["algolia"]
    said = provider.check(provider.find())
    assert said is None if wrong is None else isinstance(said, wrong)
    assert "secret-key-1" not in f"{said!r} {said} {said and said.detail}"


def test_an_application_has_a_host_of_its_own(configure: Callable[..., None]) -> None:
    load()
    configure(accounts__algolia__app_id="LATENCY", accounts__algolia__api_key="secret-key-1")
    task = catalogue.find("algolia.save")
    assert task.missing() is None
    assert task.provider.find().base_url == "https://LATENCY.algolia.net"  # type: ignore[attr-defined]
