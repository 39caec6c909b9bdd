"""`treadle queues` and `treadle stream`: what they send, ask and print."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from cli.remote import Door
from client.call import Event
from tests.unit.cli.conftest import Pretended

Treadle = Callable[..., tuple[int, str, str]]
QUEUE = {
    "name": "default", "paused": False, "paused_at": None, "max_running": 5, "rate": 2.5, "scheduled": 7, "queued": 1,
    "running": 3, "oldest_ready_seconds": 61.0, "finished_per_minute": 90.4, "workers": 2, "slots": 32,
}  # fmt: skip
ACTION = {
    "id": "a1", "verb": "purge", "filter": {"queue": "default"}, "rate": None, "state": "finished", "expected": 7, "done": 7,
    "skipped": 0, "made_by": "k", "created_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:00Z",
}  # fmt: skip


def test_the_list_shows_how_each_queue_stands(api: Pretended, treadle: Treadle) -> None:
    api.on("GET", "/v1/queues", {"queues": [QUEUE]})
    out = treadle("queues", "list")[1]
    for said in ("default", "open", "7", "90", "2 (32)", "5 at once, 2.5 a second"):
        assert said in out


@pytest.mark.parametrize(
    ("options", "body"),
    [
        (["--running", "5"], {"max_running": 5}),
        (["--rate", "0.5"], {"rate": 0.5}),
        (["--running", "0", "--rate", "0"], {"max_running": None, "rate": None}),
    ],
)
def test_a_limit_is_set_and_taken_away(api: Pretended, treadle: Treadle, options: list[str], body: dict[str, Any]) -> None:
    api.on("PATCH", "/v1/queues/default", QUEUE)
    assert treadle("queues", "limit", "default", *options)[0] == 0
    assert api.body == body


def test_a_purge_says_how_many_first(api: Pretended, treadle: Treadle, monkeypatch: pytest.MonkeyPatch) -> None:
    api.on("POST", "/v1/queues/default/purge?preview=true", {"count": 7, "exact": True})
    api.on("POST", "/v1/queues/default/purge", ACTION, 202)
    assert "It would cancel 7 jobs of default." in treadle("queues", "purge", "default", "--dry")[1]
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert treadle("queues", "purge", "default")[0] == 1  # nobody said yes
    assert len(api.asked) == 2
    assert "7 cancelled, 0 skipped, finished" in treadle("queues", "purge", "default", "--yes")[1]


def test_a_stream_is_told_line_by_line(treadle: Treadle, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def follow(_: Door, *given: Any, **more: Any) -> list[Event]:
        asked.append((given, more))
        about = {"at": "2026-01-01T00:00:00Z", "job_id": "j1", "task": "a.b"}
        return [
            Event("job", about | {"was": None, "state": "queued"}, "1.0.1"),
            Event("line", about | {"level": "info", "message": "half done"}, "1.0.2"),
            Event("gap", {"detail": "Something was forgotten."}, "1.0.3"),
        ]

    monkeypatch.setattr(Door, "follow", follow)
    out = treadle("stream", "--queue", "default", "--lines")[1].splitlines()
    assert out[0] == "2026-01-01T00:00:00Z  j1  a.b  new → queued"
    assert out[1].endswith("half done")
    assert out[2] == "Something was forgotten."
    assert asked == [(("/v1/stream",), {"params": {"queue": "default", "lines": "true"}})]
