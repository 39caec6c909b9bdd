"""Commands that look, change and do many things at once: against an API that is only pretended."""

from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.unit.cli.conftest import Pretended
from tests.unit.cli.test_commands import JOB

Treadle = Callable[..., tuple[int, str, str]]

ID = str(JOB["id"])
STREAM = (
    'event: started\ndata: {"at": "2026-01-01T00:00:00Z", "attempt": 1, "worker": "w"}\nid: 0.1.0.0\n\n'
    ": still here\n\n"
    'event: progress\ndata: {"at": "2026-01-01T00:00:01Z", "done": 1, "total": 2, "note": "half"}\nid: 1.1.0.0\n\n'
)


def test_why_says_each_cause_and_until_when(api: Pretended, treadle: Treadle) -> None:
    cause = {"kind": "time", "detail": "It is not to run before its time.", "until": "2999-01-01T00:00:00Z", "ahead": None}
    api.on("GET", f"/v1/jobs/{ID}/why", {"causes": [cause]})
    assert "It is not to run before its time. Until 2999-01-01T00:00:00Z (in " in treadle("jobs", "why", ID)[1]


def test_replay_sends_a_merge_patch(api: Pretended, treadle: Treadle) -> None:
    api.on("POST", f"/v1/jobs/{ID}/replay", JOB, 202)
    treadle("jobs", "replay", ID, '{"url": null}')
    assert api.asked[-1].headers["content-type"] == "application/merge-patch+json"
    assert api.body == {"url": None}


def test_many_are_sent_as_they_are_and_refusals_are_told(
    api: Pretended,
    tmp_path: Path,
    treadle: Treadle,
) -> None:
    file = tmp_path / "jobs.ndjson"
    file.write_text('{"task": "a"}\n{"task": 1}\n')
    results = [{"status": 202, "id": ID}, {"status": 422, "problem": {"detail": "/task: a text is wanted"}}]
    api.on("POST", "/v1/jobs/bulk?atomic=true", {"accepted": 1, "refused": 1, "results": results}, 207)
    code, _, complaint = treadle("jobs", "send-many", str(file), "--atomic", "--idempotency-key", "k")
    assert code == 1
    assert api.asked[-1].content == file.read_bytes()
    assert (api.asked[-1].headers["content-type"], api.asked[-1].headers["idempotency-key"]) == ("application/x-ndjson", "k")
    assert "job 2: /task: a text is wanted" in complaint


def test_tail_goes_on_where_the_connection_broke(
    api: Pretended,
    monkeypatch: pytest.MonkeyPatch,
    treadle: Treadle,
) -> None:
    answers = iter((STREAM, None, 'event: job\ndata: {"state": "succeeded"}\n\n', ""))
    seen: list[str | None] = []

    def answer(_: object, request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers.get("last-event-id"))
        text = next(answers)
        if text is None:
            raise httpx2.ReadError("cut")
        return httpx2.Response(200, text=text) if text else httpx2.Response(204)

    monkeypatch.setattr(type(api), "__call__", answer)
    monkeypatch.setattr("time.sleep", lambda _: None)
    code, out, _ = treadle("jobs", "tail", ID)
    assert code == 0
    assert seen == [None, "1.1.0.0", "1.1.0.0", "1.1.0.0"]
    assert "started   attempt 1 on w" in out


def test_dead_letters_are_counted_then_retried(api: Pretended, treadle: Treadle) -> None:
    action = {"id": ID, "state": "running", "expected": 3, "done": 0, "skipped": 0}
    api.on("POST", "/v1/bulk-actions?preview=true", {"count": 3, "exact": True})
    api.on("POST", "/v1/bulk-actions", action, 202)
    api.on("GET", f"/v1/bulk-actions/{ID}", action | {"state": "finished", "done": 3})
    _, out, _ = treadle("dead", "retry", "--task", "a", "--rate", "5", "--yes")
    assert [request.method for request in api.asked] == ["POST", "POST", "GET"]
    assert api.asked[1].content == api.asked[0].content
    assert "3 retried, 0 skipped, finished" in out
