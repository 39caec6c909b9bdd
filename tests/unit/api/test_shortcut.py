"""The short way of `POST /v1/jobs` says what FastAPI's route says, word for word."""

import json
from typing import Any

import httpx2
import pytest

from api.routes.jobs import PATH
from tests.contract.door import Door

ECHO = {"task": "test.echo", "payload": {"number": 1}}
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
        ECHO,
        ECHO | {"delay": "1h", "tags": ["a"], "metadata": {"b": "c"}, "priority": "high"},
        ECHO | {"delay": "1h", "run_at": "2026-01-01T00:00:00Z"},
        ECHO | {"priority": "urgent", "tags": [1], "more": True},
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
    body = json.dumps(ECHO).encode()
    ask(door, body, "application/json", **{"Idempotency-Key": key})
    again = [ask(door, body, f"application/json{more}", **{"Idempotency-Key": key}) for more in ("", "; charset=utf-8")]
    assert said(again[0]) == said(again[1])
