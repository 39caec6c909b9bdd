"""What the commands send, print and return: against an API that is only pretended."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from cli import app, client, remote
from tests.unit.cli.conftest import Pretended

JOB = {
    "id": "0192aaaa-0000-7000-8000-000000000001",
    "task": "http.request",
    "queue": "default",
    "priority": "normal",
    "state": "failed",
    "reason": "rejected",
    "attempt": 2,
    "max_attempts": 8,
    "created_at": "2026-01-01T00:00:00Z",
    "run_at": "2026-01-01T00:00:00Z",
    "started_at": "2026-01-01T00:00:01Z",
    "finished_at": "2026-01-01T00:00:02Z",
    "payload": {"url": "https://example.com"},
    "result": None,
    "error": {"class": "Rejected", "message": "404 Not Found", "status": 404},
    "progress": None,
    "tags": ["a"],
    "metadata": {},
    "attempts": [
        {
            "number": 1,
            "outcome": "retry",
            "started_at": "2026-01-01T00:00:00Z",
            "finished_at": "2026-01-01T00:00:01.5Z",
            "error": {"class": "Unavailable", "message": "503 [b]busy", "status": 503},
            "retry_at": None,
            "worker": None,
        }
    ],
    "log": [{"at": "2026-01-01T00:00:01Z", "level": "info", "message": "half done"}],
}
SCHEDULE = {
    "name": "nightly", "task": "http.request", "cron": "0 3 * * *", "every": None, "zone": "Europe/Paris",
    "paused": False, "next_at": "2999-01-01T00:00:00Z",
}  # fmt: skip


Treadle = Callable[..., tuple[int, str, str]]


def test_submit_sends_what_was_given_and_nothing_else(api: Pretended, treadle: Treadle) -> None:
    api.on("POST", "/v1/jobs", JOB, 202)
    options = ["--delay", "30s", "--attempts", "3", "--tag", "a", "--tag", "b", "--meta", "who=me", "--idempotency-key", "k"]
    code, out, _ = treadle("jobs", "submit", "http.request", '{"url": "https://example.com"}', *options)
    assert (code, out.strip()) == (0, JOB["id"])
    assert api.body == {
        "task": "http.request",
        "payload": {"url": "https://example.com"},
        "delay": "30s",
        "retry": {"max_attempts": 3},
        "tags": ["a", "b"],
        "metadata": {"who": "me"},
    }
    assert api.asked[0].headers["Authorization"] == "Bearer tr_a_b"
    assert api.asked[0].headers["Idempotency-Key"] == "k"


@pytest.mark.parametrize("payload", ["@{file}", "-"])
def test_a_payload_comes_from_a_file_or_standard_input(
    api: Pretended, treadle: Treadle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, payload: str
) -> None:
    file = tmp_path / "payload.json"
    file.write_text('{"n": 1}')
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"n": 1}'))
    api.on("POST", "/v1/jobs", JOB, 202)
    assert treadle("jobs", "submit", "x", payload.format(file=file))[0] == 0
    assert api.body["payload"] == {"n": 1}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["jobs", "submit", "x", "{oops"], "The payload is not JSON"),
        (["jobs", "submit", "x", "@/nowhere.json"], "cannot be read from /nowhere.json"),
        (["jobs", "submit", "x", "--meta", "who"], "'who' is not name=value"),
        (["schedules", "create", "n", "x"], "Give either --cron"),
        (["schedules", "create", "n", "x", "--cron", "* * * * *", "--every", "1m"], "Give either --cron"),
        (["jobs", "list", "--url", "127.0.0.1:8000"], "starts with http://"),
    ],
)
def test_a_users_mistake_is_a_sentence(api: Pretended, treadle: Treadle, arguments: list[str], sentence: str) -> None:
    code, out, err = treadle(*arguments)
    assert (code, out) == (1, "")
    assert sentence in err
    assert "Traceback" not in err


def test_a_problem_is_told_in_words_with_its_pointers(api: Pretended, treadle: Treadle) -> None:
    wrong = [{"pointer": "/payload/url", "detail": "Field required"}, {"pointer": "/payload/uri", "detail": "Unknown"}]
    several = {"title": "The request does not fit", "detail": "/payload/url: Field required; …", "errors": wrong}
    one = {"title": "The request does not fit", "detail": "/payload/url: Field required", "errors": wrong[:1]}
    api.on("POST", "/v1/jobs", several, 422)
    api.on("POST", "/v1/jobs", one, 422)
    code, _, err = treadle("jobs", "submit", "http.request")
    assert code == 1
    assert err == "treadle: The request does not fit:\n  /payload/url: Field required\n  /payload/uri: Unknown\n"
    assert treadle("jobs", "submit", "http.request")[2] == "treadle: /payload/url: Field required\n"


def test_no_api_is_told_in_words(treadle: Treadle, configure: Callable[..., None]) -> None:
    code, _, err = treadle("jobs", "list")
    assert code == 1
    assert err.startswith("treadle: No Treadle API answers at http://127.0.0.1:1 (")
    assert "Traceback" not in err


def test_the_address_is_that_of_the_treadle_up_that_runs(
    treadle: Treadle, tmp_path: Path, configure: Callable[..., None]
) -> None:
    code, _, err = treadle("jobs", "list", "--home", str(tmp_path), known=False)
    assert code == 1
    assert f"there is no {tmp_path / 'up.json'}" in err
    (tmp_path / "up.json").write_text('{"api": "http://127.0.0.1:9", "key": "tr_x_y"}')
    assert remote.find("", "", tmp_path) == ("http://127.0.0.1:9", "tr_x_y")
    assert remote.find("http://127.0.0.1:9/", "", tmp_path)[1] == "tr_x_y"
    code, _, err = treadle("jobs", "list", "--home", str(tmp_path), "--url", "http://else", known=False)
    assert (code, "the key in" in err) == (1, True)  # never sent elsewhere


def test_a_job_on_one_page(api: Pretended, treadle: Treadle) -> None:
    api.on("GET", f"/v1/jobs/{JOB['id']}", JOB)
    _, out, _ = treadle("jobs", "get", str(JOB["id"]))
    for part in ("failed", "rejected", "2 of 8", "Rejected: 404 Not Found", "503 [b]busy", "1.5 s", "half done"):
        assert part in out
    assert json.loads(treadle("jobs", "get", str(JOB["id"]), "--json")[1]) == JOB


def test_an_id_is_quoted_into_the_path(api: Pretended, treadle: Treadle) -> None:
    api.on("POST", "/v1/jobs/..%2Fqueues/cancel", {"title": "Not found"}, 404)
    assert treadle("jobs", "cancel", "../queues")[2] == "treadle: Not found\n"


def test_a_list_keeps_ids_whole_and_says_how_to_go_on(api: Pretended, treadle: Treadle) -> None:
    api.on("GET", "/v1/jobs?state=failed&limit=20", {"jobs": [JOB], "next_cursor": "abc"})
    _, out, _ = treadle("jobs", "list", "--state", "failed")
    assert str(JOB["id"]) in out
    assert "2/8" in out
    assert "--cursor abc" in out


def test_what_has_many_fields_is_shown_and_changed_whole(api: Pretended, treadle: Treadle) -> None:
    api.on("GET", "/v1/schedules/nightly", SCHEDULE)
    api.on("PATCH", "/v1/schedules/nightly", SCHEDULE)
    assert "Europe/Paris" in treadle("schedules", "show", "nightly")[1]
    treadle("schedules", "change", "nightly", '{"cron": "0 4 * * *"}')
    assert api.body == {"cron": "0 4 * * *"}


def test_schedules(api: Pretended, treadle: Treadle) -> None:
    api.on("POST", "/v1/schedules", SCHEDULE, 201)
    api.on("PATCH", "/v1/schedules/nightly", {**SCHEDULE, "paused": True, "next_at": None})
    api.on("GET", "/v1/schedules", {"schedules": [SCHEDULE, {**SCHEDULE, "cron": None, "every": "5m", "paused": True}]})
    api.on("POST", "/v1/schedules/nightly/run", JOB, 202)
    api.on("DELETE", "/v1/schedules/nightly", None, 204)
    api.on("GET", "/v1/schedules/nightly/preview?count=2", {"times": ["2999-01-01T00:00:00Z"]})
    create = ("schedules", "create", "nightly", "http.request", "--cron", "0 3 * * *", "--zone", "Europe/Paris")
    assert "nightly runs 0 3 * * * Europe/Paris, next in " in treadle(*create)[1]
    timing = {"cron": "0 3 * * *", "zone": "Europe/Paris", "paused": False}
    assert api.body == {"name": "nightly", "task": "http.request", "payload": {}, **timing}
    assert "nightly is paused" in treadle("schedules", "pause", "nightly")[1]
    assert api.body == {"paused": True}
    assert "every 5m" in treadle("schedules", "list")[1]
    assert str(JOB["id"]) in treadle("schedules", "run", "nightly")[1]
    assert "is deleted" in treadle("schedules", "delete", "nightly")[1]
    assert "2999-01-01" in treadle("schedules", "preview", "nightly", "--count", "2")[1]


def test_providers(api: Pretended, treadle: Treadle) -> None:
    account = {
        "account": "stripe-eu", "available": True, "missing": None, "state": "circuit", "why": "stripe-eu fails: 503",
        "until": "2999-01-01T00:00:00Z", "held_jobs": 7, "rate": "50/s", "saturation": 0.25, "last_error": "503",
    }  # fmt: skip
    absent = account | {"account": "square", "available": False, "missing": "Set TREADLE_ACCOUNTS__SQUARE__TOKEN."}
    api.on("GET", "/v1/providers", {"accounts": [account, absent]})
    out = treadle("providers", "list")[1]
    assert all(word in out for word in ("stripe-eu", "circuit", "50/s 25%", "fails: 503", "missing", "SQUARE__TOKEN"))


def test_checking_an_account_follows_its_job(api: Pretended, treadle: Treadle) -> None:
    done = JOB | {"state": "succeeded", "reason": None, "result": {"answers": True}, "error": None}
    api.on("POST", "/v1/providers/stripe/check", done, 202)
    api.on("GET", f"/v1/jobs/{JOB['id']}/events", None, 204)
    api.on("GET", f"/v1/jobs/{JOB['id']}", done)
    code, out, _ = treadle("providers", "check", "stripe")
    assert code == 0
    assert "answers" in out


def test_queues(api: Pretended, treadle: Treadle) -> None:
    queue = {"name": "default", "paused": True, "scheduled": 3, "queued": 2, "running": 1, "oldest_ready_seconds": 90.0}
    queue |= {"finished_per_minute": 4.0, "workers": 1, "slots": 16, "max_running": None, "rate": None}
    api.on("GET", "/v1/queues", {"queues": [queue]})
    api.on("POST", "/v1/queues/default/pause", queue)
    api.on("POST", "/v1/queues/default/resume", queue)
    out = treadle("queues", "list")[1]
    assert [word in out for word in ("default", "paused", "90 s")] == [True] * 3
    assert treadle("queues", "pause", "default")[1] == "default is paused\n"
    assert treadle("queues", "resume", "default")[1] == "default is open\n"


def test_tasks(api: Pretended, treadle: Treadle) -> None:
    task = {"name": "http.request", "summary": "Call.", "queue": "default", "timeout": "1m", "retry": {}, "missing": None,
            "payload_schema": {"type": "object"}, "example": {"url": "https://example.com"}}  # fmt: skip
    api.on("GET", "/v1/tasks", {"tasks": [task]})
    api.on("GET", "/v1/tasks/http.request", task)
    assert "Call." in treadle("tasks")[1] == treadle("tasks", "list")[1]
    assert "https://example.com" in treadle("tasks", "http.request")[1]


def test_something_else_that_answers_is_no_api(treadle: Treadle, monkeypatch: pytest.MonkeyPatch) -> None:
    other = httpx2.MockTransport(lambda _: httpx2.Response(200, text="<html>"))
    with client.Client("http://127.0.0.1:1", "", transport=other) as one, pytest.raises(client.Complaint, match="not as a"):
        one.ask("GET", "/v1/jobs")
    failing = httpx2.MockTransport(lambda _: httpx2.Response(502, text="<html>"))
    with (
        client.Client("http://127.0.0.1:1", "", transport=failing) as one,
        pytest.raises(client.Refused, match="answered 502"),
    ):
        one.ask("GET", "/v1/jobs")


def test_without_arguments_there_is_help(treadle: Treadle) -> None:
    out = treadle()[1]
    for command in app.app.registered_commands:
        assert str(command.name) in out
