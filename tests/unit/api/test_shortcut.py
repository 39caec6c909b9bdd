"""The short way of `POST /v1/jobs` says what FastAPI's route says, word for word."""

import asyncio
import json
from typing import Any
from uuid import UUID

import httpx2
import pytest

from api.routes.jobs import PATH
from api.schemas import JobOut, as_json
from api.shortcut import _in_time, _there
from jobs.model import Job
from runtime.database import snapshot
from tests.contract.door import Door

WANTED = {"task": "http.request", "payload": {"url": "https://example.com/"}}
CHANGES = {"date", "location", "x-request-id", "content-length"}


def ask(door: Door, body: bytes, kind: str, **headers: str) -> httpx2.Response:
    given = {
        name.encode(): text.encode() for name, text in {"Content-Type": kind, "X-Request-Id": "same", **headers}.items()
    }
    return door.client.post(PATH, content=body, headers=given)


def said(answer: httpx2.Response) -> Any:
    """What it says, but for what differs from job to job."""
    body = answer.json()
    for name in ("id", "created_at", "run_at"):
        body.pop(name, None)
    return answer.status_code, {name: value for name, value in answer.headers.items() if name not in CHANGES}, body


@pytest.mark.parametrize(
    "body",
    [
        WANTED,
        WANTED | {"delay": "1h", "tags": ["a"], "metadata": {"b": "c"}, "priority": "high"},
        WANTED | {"delay": "1h", "run_at": "2026-01-01T00:00:00Z"},
        WANTED | {"priority": "urgent", "tags": [1], "more": True},
        {"task": "no.such"},
        {"payload": {}},
        [],
        7,
    ],
    ids=str,
)
def test_both_ways_answer_the_same(door: Door, body: Any) -> None:
    short = ask(door, json.dumps(body).encode(), "application/json")
    ordinary = ask(door, json.dumps(body).encode(), "application/json; charset=utf-8")
    assert said(short) == said(ordinary)


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"task": NaN}', b'{"task": "a", "task": "b"}', b"[" * 9999, b""])
def test_both_ways_refuse_the_same(door: Door, body: bytes) -> None:
    assert said(ask(door, body, "application/json")) == said(ask(door, body, "application/json; charset=utf-8"))


@pytest.mark.parametrize("key", ["k" * 256, '"', "é", '"fine"'])
def test_both_ways_read_the_key_alike(door: Door, key: str) -> None:
    body = json.dumps(WANTED).encode()
    ask(door, body, "application/json", **{"Idempotency-Key": key})
    again = [ask(door, body, f"application/json{more}", **{"Idempotency-Key": key}) for more in ("", "; charset=utf-8")]
    assert said(again[0]) == said(again[1])


def test_a_body_may_come_behind_its_head_and_in_parts(door: Door) -> None:
    body = json.dumps(WANTED).encode()
    key = door.client.headers["authorization"]
    head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nAuthorization: {key}\r\n\r\n".encode()
    assert door.say("POST", PATH, head, body[:10], body[10:]) == 202


def test_what_has_not_come_yet_is_left_to_be_waited_for() -> None:
    async def wait() -> None:
        there, message = asyncio.Event(), {"type": "http.request", "body": b"{}"}

        async def receive() -> Any:
            await there.wait()
            return message

        assert _there(receive) is None
        asyncio.get_running_loop().call_soon(there.set)
        assert await _in_time(receive) == message
        assert _there(receive) == message

    asyncio.run(wait())


def test_a_job_is_shown_alike_with_and_without_a_model(door: Door) -> None:
    given = WANTED | {"delay": "1h", "tags": ["a"], "metadata": {"é": "\u2028"}, "priority": "high", "ttl": "2h"}
    made = door.client.post(PATH, json=given)
    assert made.status_code == 202, made.text
    with snapshot() as session:
        job = session.get_one(Job, UUID(made.json()["id"]))
        assert as_json(job) == JobOut.of(job).model_dump_json().encode()


def test_both_ways_tell_alike_what_the_ledger_refuses(door: Door) -> None:
    place = {"unique": {"key": "one at a time", "on_conflict": "reject"}, "delay": "1h"}
    first = ask(door, json.dumps(WANTED | place).encode(), "application/json", **{"Idempotency-Key": "taken"})
    assert first.status_code == 202, first.text
    for body, headers in ((WANTED, {"Idempotency-Key": "taken"}), (WANTED | place, {})):
        short, ordinary = (
            ask(door, json.dumps(body).encode(), f"application/json{more}", **headers) for more in ("", "; charset=utf-8")
        )
        assert short.status_code >= 400
        assert said(short) == said(ordinary)
