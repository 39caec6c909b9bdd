"""What stands around the routes: quotas, CORS, compression, proxies, slow bodies, media types, safe headers."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.app import create_app
from jobs import keys
from runtime.database import transaction
from tests.clock import Clock
from tests.contract.door import Door, check_problem, on_sqlite

Open = Callable[..., Any]
BIG = {"task": "http.request", "payload": {"url": "https://example.com/", "json": {"text": "x" * 10_000}}}


@pytest.fixture
def opened(sqlite_template: Path, tmp_path: Path) -> Open:
    """A door with settings of its own."""

    @contextmanager
    def open_(**values: str) -> Iterator[Door]:
        with on_sqlite(sqlite_template, tmp_path, **values) as door:
            yield door

    return open_


def test_a_key_may_ask_as_often_as_its_quota_says(opened: Open, clock: Clock) -> None:
    with opened(quota="3") as door:
        answers = [door.ask("GET", "/v1/tasks/http.request") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"key";q=3;w=60'
        assert [answer.headers["ratelimit"] for answer in answers] == [f'"key";r={left};t=60' for left in (2, 1, 0, 0)]
        refused = check_problem(429, answers[3].headers, answers[3].content)
        assert (refused["type"], refused["violated-policies"]) == ("/problems/quota-exceeded", ["key"])
        assert answers[3].headers["retry-after"] == "60"
        with door.new_client("read") as other:
            assert other.get("/v1/tasks/http.request").status_code == 200
        clock.advance(59)
        assert door.ask("GET", "/v1/jobs").headers["ratelimit"] == '"key";r=0;t=1'
        clock.advance(1)
        assert door.ask("GET", "/v1/jobs").status_code == 200


def test_a_key_can_have_a_quota_of_its_own(opened: Open, clock: Clock) -> None:
    with opened(quota="1") as door:
        with transaction() as session:
            key = keys.create(session, "often", "read", quota=2)
        own = {"authorization": f"Bearer {key}"}
        assert [door.ask("GET", "/v1/jobs", headers=own).status_code for _ in range(3)] == [200, 200, 429]


def test_without_a_quota_nothing_is_said_of_one(door: Door) -> None:
    assert not {"ratelimit", "ratelimit-policy"} & door.ask("GET", "/v1/jobs").headers.keys()


PREFLIGHT = {"origin": "https://app.example.com", "access-control-request-method": "POST"}


def test_pages_of_other_origins_may_not_call(door: Door) -> None:
    answer = door.client.options("/v1/jobs", headers=PREFLIGHT)
    assert "access-control-allow-origin" not in answer.headers
    answer = door.ask("GET", "/v1/jobs", headers={"origin": "https://app.example.com"})
    assert "access-control-allow-origin" not in answer.headers


def test_pages_of_an_origin_that_is_named_may_call_and_read_errors(opened: Open) -> None:
    with opened(cors_origins="https://app.example.com") as door:
        preflight = door.client.options("/v1/jobs", headers=PREFLIGHT | {"authorization": ""})
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == "https://app.example.com"
        wrong = door.ask("POST", "/v1/jobs", json={}, headers={"origin": "https://app.example.com"})
        assert wrong.status_code == 422
        assert wrong.headers["access-control-allow-origin"] == "https://app.example.com"
        assert "ratelimit" in wrong.headers["access-control-expose-headers"].lower()
        other = door.ask("GET", "/v1/jobs", headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_long_answer_is_compressed_for_who_can_read_it(door: Door, coding: str) -> None:
    job = door.ask("POST", "/v1/jobs", json=BIG).json()["id"]
    plain = door.ask("GET", f"/v1/jobs/{job}", headers={"accept-encoding": "identity"})
    packed = door.ask("GET", f"/v1/jobs/{job}", headers={"accept-encoding": coding})
    assert packed.headers["content-encoding"] == coding
    assert int(packed.headers["content-length"]) < len(plain.content) / 5
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert packed.headers["etag"] == plain.headers["etag"]
    if coding == "gzip":  # which the client unpacks
        assert packed.json() == plain.json()


def test_a_short_answer_and_a_stream_are_not_compressed(door: Door) -> None:
    coding = {"accept-encoding": "gzip, br, zstd"}
    job = door.post_job(headers=coding)
    assert "content-encoding" not in job.headers
    door.ask("POST", f"/v1/jobs/{job.json()['id']}/cancel")
    stream = door.ask("GET", f"/v1/jobs/{job.json()['id']}/events", headers=coding)
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in stream.headers


FORWARDED = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}


def test_what_a_proxy_says_is_believed_only_if_it_is_trusted(opened: Open) -> None:
    with opened(trusted_proxies="127.0.0.0/8") as door:
        assert "strict-transport-security" in door.ask("GET", "/v1/jobs", headers=FORWARDED).headers
        assert "strict-transport-security" not in door.ask("GET", "/v1/jobs").headers
    with opened(trusted_proxies="10.0.0.0/8") as door:
        assert "strict-transport-security" not in door.ask("GET", "/v1/jobs", headers=FORWARDED).headers


def test_a_body_that_does_not_arrive_is_not_waited_for(opened: Open) -> None:
    with opened(body_patience="1s") as door, socket.create_connection(("127.0.0.1", door.port), timeout=20) as connection:
        lines = ("POST /v1/jobs HTTP/1.1", "Host: x", header(door), "Content-Type: application/json", "Content-Length: 9")
        connection.sendall("\r\n".join([*lines, "", "{"]).encode())
        began = time.monotonic()
        answer = connection.recv(65_536)
        assert time.monotonic() - began < 10
    head, _, body = answer.decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 408")
    assert json.loads(body)["type"] == "/problems/request-timeout"


def header(door: Door) -> str:
    return f"Authorization: {door.authority()['authorization']}"


def routes_with_bodies() -> list[tuple[str, str]]:
    paths = create_app().openapi()["paths"]
    return [
        (method.upper(), path)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if "requestBody" in operation and not path.startswith("/v1/hooks")
    ]


@pytest.mark.parametrize(("method", "path"), routes_with_bodies())
def test_only_the_media_types_that_are_documented_are_taken(door: Door, method: str, path: str) -> None:
    filled = path.replace("{name}", "default").replace("{key_id}", "abc")
    for part in ("job_id", "action_id", "endpoint_id", "event_id"):
        filled = filled.replace(f"{{{part}}}", "01980000-0000-7000-8000-000000000000")
    answer = door.ask(method, filled, content=b"a=b", headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 415, answer.text


def test_what_is_no_page_loads_nothing_and_is_shown_in_no_frame(door: Door) -> None:
    for path in ("/v1/jobs", "/livez", "/nowhere", "/openapi.json"):
        headers = door.ask("GET", path).headers
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["x-frame-options"] == "DENY"
    assert "content-security-policy" not in httpx2.get(f"{door.url}/docs", trust_env=False).headers
