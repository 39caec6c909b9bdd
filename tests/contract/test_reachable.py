"""What the document says of errors is so: each that an operation names can be had, and no other is ever answered.

The second half is in every Door: it looks up each answer's status in the document (tests/contract/door.py).
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import RSAAlgorithm

from jobs import keys
from runtime import database
from runtime.database import transaction
from runtime.settings import settings
from tests.contract.door import DOCUMENT, Door, check_problem

NOTHING = "01980000-0000-7000-8000-00000000dead"
_RSA = generate_private_key(65537, 2048)
SECRET = "in the path or as a bearer's"
WRONG = ("-", "nothing", "-1", "x" * 3000)  # of these no bounded parameter takes all


def operations(status: str) -> list[Any]:
    """Those that name the status."""
    return [
        pytest.param(method.upper(), path, id=f"{method.upper()} {path}")
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        if status in operation["responses"]
    ]


def test_every_status_that_is_named_is_provoked_here() -> None:
    named = {status for methods in DOCUMENT["paths"].values() for one in methods.values() for status in one["responses"]}
    assert {status for status in named if status >= "400"} == {
        *("400", "401", "403", "404", "405", "408", "409", "413", "415", "422", "429", "503")
    }


def of_nothing(path: str) -> str:
    """The path of something that is not there; that of a webhook leads to a source."""
    gaps = {"source": "known", "token": "wrong", "key_id": "nothing"}
    return re.sub(r"\{(\w+)\}", lambda gap: gaps.get(gap[1], NOTHING if gap[1].endswith("_id") else "nothing"), path)


def is_hook(path: str) -> bool:
    return path.startswith("/v1/hooks/")


def media_type(method: str, path: str) -> str | None:
    kind = next(iter(DOCUMENT["paths"][path][method.lower()].get("requestBody", {}).get("content", {})), None)
    return "application/json" if kind == "*/*" else kind


def body_of(method: str, path: str, content: bytes = b"{}") -> dict[str, Any]:
    kind = media_type(method, path)
    return {"content": content, "headers": {"content-type": kind}} if kind else {}


Given = Callable[..., None]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, door: Door) -> Iterator[Given]:
    """Gives the door other settings for this test."""

    def change(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"TREADLE_{name.upper()}", value)
        settings.cache_clear()

    yield change
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def _sources(door: Door) -> None:
    """Where webhooks can be sent: one that shows a secret, and one that greets."""
    for source in (
        {"name": "known", "kind": "secret", "secrets": [SECRET]},
        {"name": "greets", "kind": "meta", "secrets": ["the app's secret"], "options": {"verify_token": "tell-me"}},
    ):
        assert door.ask("POST", "/v1/sources", json=source).status_code == 201


@pytest.mark.parametrize(("method", "path"), operations("400"))
def test_a_body_that_cannot_be_read_is_refused(method: str, path: str, door: Door) -> None:
    given = body_of(method, path, b"{")
    given["headers"]["authorization"] = f"Bearer {SECRET if is_hook(path) else door.keys['admin']}"
    assert door.ask(method, of_nothing(path), **given).status_code == 400


@pytest.mark.parametrize(("method", "path"), operations("401"))
def test_without_a_key_each_is_refused(method: str, path: str, door: Door, given: Given) -> None:
    given(metrics_token="password")
    place = of_nothing(path).replace("known", "greets" if method == "GET" else "known")
    assert door.ask(method, place, headers={"authorization": ""}).status_code == 401


@pytest.mark.parametrize(("method", "path"), operations("403"))
def test_a_token_without_a_role_is_refused(method: str, path: str, door: Door, given: Given) -> None:
    given(oidc_issuer="https://id.example.com", oidc_audience="treadle")
    issuer = door.app.state.issuer
    issuer._keys, issuer._fetched = (
        {"one": jwt.PyJWK.from_dict(json.loads(RSAAlgorithm.to_jwk(_RSA.public_key())), "RS256")},
        inf,
    )
    claims = {"iss": "https://id.example.com", "aud": "treadle", "sub": "ada", "exp": time.time() + 60, "roles": []}
    token = jwt.encode(claims, _RSA, "RS256", {"kid": "one"})
    answer = door.ask(method, of_nothing(path), headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 403  # that each scope is asked for, test_scopes says


@pytest.mark.parametrize(("method", "path"), operations("404"))
def test_what_is_not_there_is_not_found(method: str, path: str, door: Door) -> None:
    place = of_nothing(path).replace("known", "nothing")
    body = b'{"priority": "low"}' if f"{method} {path}" == "PATCH /v1/jobs/{job_id}" else b"{}"
    assert door.ask(method, place, **body_of(method, path, body)).status_code == 404


@pytest.mark.parametrize(("method", "path"), operations("405"))
def test_a_source_that_knows_no_handshake_is_not_greeted(method: str, path: str, door: Door) -> None:
    assert door.ask(method, of_nothing(path)).status_code == 405


@pytest.mark.parametrize(("method", "path"), operations("408"))
def test_a_body_that_does_not_come_is_not_waited_for(method: str, path: str, door: Door, given: Given) -> None:
    given(body_patience="50ms")
    head = {**door.authority(), "content-type": media_type(method, path), "content-length": "2"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    assert door.say(method, of_nothing(path), f"{lines}\r\n".encode()) == 408


@pytest.mark.parametrize(("method", "path"), operations("409"))
def test_what_stands_against_it_is_a_conflict(method: str, path: str, door: Door) -> None:
    assert CONFLICTS[f"{method} {path}"](door).status_code == 409


@pytest.mark.parametrize(("method", "path"), operations("413"))
def test_what_is_too_large_is_refused_unread(method: str, path: str, door: Door) -> None:
    key = f"Authorization: {door.authority()['authorization']}\r\n".encode()
    assert door.say(method, of_nothing(path), key, b"Content-Length: 999999999\r\n\r\n") == 413


@pytest.mark.parametrize(("method", "path"), operations("415"))
def test_a_body_of_another_kind_is_refused(method: str, path: str, door: Door) -> None:
    form = {"content": b"a=b", "headers": {"content-type": "application/x-www-form-urlencoded"}}
    assert door.ask(method, of_nothing(path), **form).status_code == 415


@pytest.mark.parametrize(("method", "path"), operations("422"))
def test_a_value_that_cannot_be_is_refused(method: str, path: str, door: Door) -> None:
    assert any(door.ask(method, place, **wrong).status_code == 422 for place, wrong in wrongly(method, path))


@pytest.mark.parametrize(("method", "path"), operations("429"))
def test_who_asks_too_often_is_told_to_wait(method: str, path: str, door: Door) -> None:
    with transaction() as session:
        key = {"authorization": f"Bearer {keys.create(session, 'once a minute', 'admin', quota=1)}"}
    door.keys_made += 1
    assert door.ask("GET", "/v1/tasks", headers=key).status_code == 200
    assert door.ask(method, of_nothing(path), headers=key).status_code == 429


@pytest.mark.parametrize(("method", "path"), operations("503"))
def test_while_the_ledger_is_away_each_says_so(method: str, path: str, door: Door, tmp_path: Path) -> None:
    ledger = database.engine()
    database.use(database.create_engine(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}"))
    try:
        with httpx2.Client(base_url=door.url, trust_env=False) as client:  # whose answer no door looks at: it is a 503
            unknown = {"authorization": f"Bearer tr_{uuid4().hex[:12]}_x"}  # else what is remembered of it lets it in
            answer = client.request(method, of_nothing(path), headers=unknown)
    finally:
        database.use(ledger)
    assert answer.status_code == 503
    if path != "/readyz":
        assert check_problem(503, answer.headers, answer.content)["type"] == "/problems/ledger-busy"


def wrongly(method: str, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Requests, each of which has one wrong value: a parameter's, or all of its body."""
    for parameter in DOCUMENT["paths"][path][method.lower()].get("parameters", ()):
        for value in WRONG:
            match parameter["in"]:
                case "path":
                    yield of_nothing(path.replace(f"{{{parameter['name']}}}", value)), body_of(method, path)
                case "query":
                    end = "for=0s&" if path == "/v1/stream" else ""  # else it has none
                    yield f"{of_nothing(path)}?{end}{parameter['name']}={value}", body_of(method, path)
    if media_type(method, path):
        for content in (b"[]", b"1", b'{"no": "such field"}'):
            yield of_nothing(path), body_of(method, path, content)


def twice(path: str, **body: Any) -> Callable[[Door], httpx2.Response]:
    """Asks for the same a second time."""

    def ask(door: Door) -> httpx2.Response:
        assert door.ask("POST", path, json=body).is_success
        return door.ask("POST", path, json=body)

    return ask


def to_a_job(method: str, verb: str, *, final: bool) -> Callable[[Door], httpx2.Response]:
    """Asks it of a job that is final, or of one that is not."""

    def ask(door: Door) -> httpx2.Response:
        job = door.post_job().json()["id"]
        if final:
            assert door.ask("POST", f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
        return door.ask(method, f"/v1/jobs/{job}{verb}", json={"priority": "low"})

    return ask


def held(path: str, wrap: Callable[[dict[str, Any]], Any]) -> Callable[[Door], httpx2.Response]:
    """Asks for a second job where there may be one."""

    def ask(door: Door) -> httpx2.Response:
        alone = {"unique": {"key": path, "on_conflict": "reject"}}
        assert door.post_job(**alone).status_code == 202
        return door.ask(
            "POST", path, json=wrap({"task": "http.request", "payload": {"url": "https://example.com/"}, **alone})
        )

    return ask


def to_an_action(*verbs: str) -> Callable[[Door], httpx2.Response]:
    """Begins a bulk action and does these to it, one after the other."""

    def ask(door: Door) -> httpx2.Response:
        action = door.ask("POST", "/v1/bulk-actions", json={"verb": "retry", "filter": {"state": "failed"}}).json()["id"]
        return [door.ask("POST", f"/v1/bulk-actions/{action}/{verb}") for verb in verbs][-1]

    return ask


def of_one_that_cannot_be_checked(door: Door) -> httpx2.Response:
    accounts = door.ask("GET", "/v1/providers").json()["accounts"]
    account = next(each["account"] for each in accounts if not each["has_probe"])
    return door.ask("POST", f"/v1/providers/{account}/check")


WORK: dict[str, Any] = {"task": "http.request", "payload": {"url": "https://example.com/"}}
CONFLICTS: dict[str, Callable[[Door], httpx2.Response]] = {
    "POST /v1/jobs": held("/v1/jobs", lambda job: job),
    "POST /v1/jobs/bulk": held("/v1/jobs/bulk?atomic=true", lambda job: {"jobs": [job]}),
    "PATCH /v1/jobs/{job_id}": to_a_job("PATCH", "", final=True),
    "POST /v1/jobs/{job_id}/cancel": to_a_job("POST", "/cancel", final=True),
    "POST /v1/jobs/{job_id}/retry": to_a_job("POST", "/retry", final=False),
    "POST /v1/jobs/{job_id}/replay": to_a_job("POST", "/replay", final=False),
    "POST /v1/bulk-actions/{action_id}/abort": to_an_action("abort", "abort"),
    "POST /v1/bulk-actions/{action_id}/resume": to_an_action("resume"),
    "POST /v1/schedules": twice("/v1/schedules", name="again", every="1h", **WORK),
    "POST /v1/subscriptions": twice("/v1/subscriptions", name="again", types=["order.*"], **WORK),
    "POST /v1/sources": twice("/v1/sources", name="again", kind="secret", secrets=[SECRET]),
    "POST /v1/providers/{account}/check": of_one_that_cannot_be_checked,
}
