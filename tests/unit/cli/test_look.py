"""Commands that look, change and do many things at once: against an API that is only pretended."""

import json
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
        return (
            httpx2.Response(200, text=text, headers={"content-type": "text/event-stream"}) if text else httpx2.Response(204)
        )

    monkeypatch.setattr(type(api), "__call__", answer)
    monkeypatch.setattr("time.sleep", lambda _: None)
    code, out, _ = treadle("jobs", "tail", ID)
    assert code == 0
    assert seen == [None, "1.1.0.0", "1.1.0.0", "1.1.0.0"]
    assert "started   attempt 1 on w" in out


def test_dead_letters_are_counted_then_retried(api: Pretended, treadle: Treadle) -> None:
    action = {"id": ID, "verb": "retry", "state": "running", "expected": 3, "done": 0, "skipped": 0}
    api.on("POST", "/v1/bulk-actions?preview=true", {"count": 3, "exact": True})
    api.on("POST", "/v1/bulk-actions", action, 202)
    api.on("GET", f"/v1/bulk-actions/{ID}", action | {"state": "finished", "done": 3})
    assert treadle("dead", "retry", "--task", "a", "--rate", "5", "--dry")[1] == "It would retry 3 jobs.\n"
    assert len(api.asked) == 1
    _, out, _ = treadle("dead", "retry", "--task", "a", "--rate", "5", "--yes")
    assert [request.method for request in api.asked] == ["POST", "POST", "POST", "GET"]
    assert api.asked[2].content == api.asked[1].content
    assert "3 retried, 0 skipped, finished" in out


def test_an_action_is_begun_aborted_and_resumed(api: Pretended, treadle: Treadle) -> None:
    action = {
        "id": ID, "verb": "prioritise", "filter": {"queue": "cpu"}, "state": "aborted", "expected": 9, "done": 4,
        "skipped": 1, "created_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    api.on("POST", "/v1/bulk-actions?preview=true", {"count": 10000, "exact": False})
    api.on("POST", "/v1/bulk-actions", action | {"state": "finished"}, 202)
    for verb in ("abort", "resume"):
        api.on("POST", f"/v1/bulk-actions/{ID}/{verb}", action)
    api.on("GET", "/v1/bulk-actions", {"actions": [action]})
    api.on("GET", f"/v1/bulk-actions/{ID}", action)
    options = ("--queue", "cpu", "--meta", "a=b", "--priority", "high")
    assert "at least 10000" in treadle("actions", "begin", "prioritise", *options, "--dry")[1]
    treadle("actions", "begin", "prioritise", *options, "--yes")
    assert api.body == {"verb": "prioritise", "filter": {"queue": "cpu", "metadata": ["a=b"]}, "priority": "high"}
    for command in ("abort", "resume", "watch"):
        assert "4 prioritised, 1 skipped, aborted" in treadle("actions", command, ID)[1]
    assert "cpu" in treadle("actions", "list")[1]
    assert "9" in treadle("actions", "show", ID)[1]


def test_a_dead_letter_is_shown_before_it_is_replayed(api: Pretended, treadle: Treadle) -> None:
    api.on("GET", f"/v1/jobs/{ID}", JOB)
    api.on("POST", f"/v1/jobs/{ID}/replay", JOB | {"id": "new"}, 202)
    _, out, _ = treadle("dead", "replay", ID, '{"url": "https://example.org"}', "--dry")
    assert all(word in out for word in ("404 Not Found", "https://example.com", "https://example.org"))
    assert [request.method for request in api.asked] == ["GET"]
    assert treadle("dead", "replay", ID, '{"url": "https://example.org"}', "--yes")[1].endswith("new\n")
    assert api.body == {"url": "https://example.org"}


def test_jobs_are_counted(api: Pretended, treadle: Treadle) -> None:
    api.on("GET", "/v1/jobs/count?state=failed&tags=a&tags=b", {"count": 10000, "exact": False})
    assert treadle("jobs", "count", "--state", "failed", "--tag", "a", "--tag", "b")[1] == "at least 10000\n"


def test_the_audit_says_who_did_what(api: Pretended, treadle: Treadle) -> None:
    deed = {"id": ID, "at": "2026-01-01T00:00:00Z", "who": "k1", "what": "job.retry", "about": "j1", "detail": {}}
    api.on("GET", "/v1/audit?about=j1&limit=20", {"deeds": [deed]})
    assert all(word in treadle("audit", "--about", "j1")[1] for word in ("k1", "job.retry", "j1"))


def test_watching_follows_the_stream_and_says_how_it_went(
    api: Pretended,
    monkeypatch: pytest.MonkeyPatch,
    treadle: Treadle,
) -> None:
    ends = {"a": "succeeded", "b": "failed"}

    def answer(_: object, request: httpx2.Request) -> httpx2.Response:
        _, _, _, name, *stream = request.url.path.split("/")
        if stream and "last-event-id" in request.headers:
            return httpx2.Response(204)
        if not stream:
            return httpx2.Response(200, json=JOB | {"id": name, "state": ends[name], "result": {"status": 200}})
        shown = json.dumps(JOB | {"state": "running"})
        return httpx2.Response(
            200, text=f"event: job\ndata: {shown}\n\n{STREAM}", headers={"content-type": "text/event-stream"}
        )

    monkeypatch.setattr(type(api), "__call__", answer)
    code, out, _ = treadle("jobs", "watch", "a")
    assert (code, [line.split()[:2] for line in out.splitlines()[:2]]) == (0, [["a", "running,"], ["a", "succeeded,"]])
    assert '"status": 200' in out
    code, out, err = treadle("jobs", "watch", "a", "b")
    assert code == 1
    assert {"a  running", "b  running", "a  succeeded", "b  failed"} == {line.split(",")[0] for line in out.splitlines()}
    assert "1 of 2 did not succeed:" in err
    assert "The job failed: 404 Not Found" in err
