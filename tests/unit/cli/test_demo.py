"""The first job: its endpoint, and the story told of it."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from cli.up.catcher import Catcher
from cli.up.demo import story


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    made = Catcher(0)
    made.open()
    yield made
    made.close()


def test_a_flaky_path_refuses_once(catcher: Catcher) -> None:
    with httpx2.Client(base_url=catcher.url, trust_env=False) as client:
        first = client.post("/flaky/a", json={"x": 1})
        assert (first.status_code, first.headers["Retry-After"]) == (503, "1")
        assert client.post("/flaky/a").status_code == 200
        assert client.post("/flaky/b").status_code == 503
        assert client.put("/hook", content=b"12345").json() == {"received": 5}
        assert client.head("/hook").status_code == 200


def test_what_it_remembers_is_bounded(catcher: Catcher) -> None:
    statuses = [catcher.status(f"/flaky/{n}") for n in range(1001)]
    assert set(statuses) == {503}
    assert catcher.status("/flaky/1000") == 200
    assert catcher.status("/flaky/0") == 503  # forgotten


def test_the_story_of_a_retry() -> None:
    job: dict[str, Any] = {
        "task": "http.request",
        "state": "succeeded",
        "payload": {"url": "http://x/flaky"},
        "result": {"status": 200},
        "error": None,
        "created_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:01.2Z",
        "attempts": [
            {"number": 1, "outcome": "retry", "finished_at": "2026-01-01T00:00:00.1Z",
             "retry_at": "2026-01-01T00:00:01.1Z", "error": {"status": 503, "message": "busy"}},
            {"number": 2, "outcome": "succeeded", "finished_at": "2026-01-01T00:00:01.2Z", "retry_at": None, "error": None},
        ],
    }  # fmt: skip
    assert [(what, text) for _, what, text, _ in story(job)] == [
        ("accepted", "http.request http://x/flaky"),
        ("attempt 1", "503 Service Unavailable, so again after 1.0 s"),
        ("attempt 2", "200 OK"),
        ("succeeded", "in 1.2 s"),
    ]


def test_the_story_of_a_refusal_without_a_status() -> None:
    job = {
        "task": "http.request",
        "state": "failed",
        "payload": {"url": "http://x"},
        "result": None,
        "created_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:01Z",
        "attempts": [
            {"number": 1, "outcome": "failed", "finished_at": None, "retry_at": None, "error": {"message": "no route"}}
        ],
    }
    assert story(job)[1][1:3] == ("attempt 1", "no route")
