"""Every error is a problem: ours, the framework's and bugs; each names the place that is wrong."""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import structlog
from fastapi.exceptions import HTTPException

from api.app import create_app
from api.kinds import KINDS
from api.ledger import LedgerBusy
from jobs import errors
from jobs.errors import JobError
from tests.contract.door import Door, check_problem

LINKS = {"url": "https://example.com/"}


def raising(error: BaseException) -> httpx2.Response:
    """The answer of a route that raises."""

    async def route() -> None:
        raise error

    async def ask() -> httpx2.Response:
        app = create_app()
        app.add_api_route("/raises", route)
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://door") as client:
            return await client.get("/raises", headers={"x-request-id": "mine"})

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/v1", 404, "not-found"),
        ("GET", "/v1/", 404, "not-found"),
        ("GET", "/v1/jobs/", 404, "not-found"),
        ("GET", "/v1/tasks/nothing", 404, "not-found"),
        ("POST", "/v1/queues/nothing/pause", 404, "not-found"),
        ("POST", "/v1/queues/nothing/resume", 404, "not-found"),
        ("GET", "/v1/jobs/01980000-0000-7000-8000-000000000000", 404, "not-found"),
        ("GET", "/v1/schedules/nothing", 404, "not-found"),
        ("GET", "/v1/jobs/nothing", 422, "invalid"),
        ("GET", "/v1/schedules/-", 422, "invalid"),
        ("DELETE", "/v1/jobs", 405, "method-not-allowed"),
        ("PUT", "/v1/schedules/nightly", 405, "method-not-allowed"),
        ("OPTIONS", "/v1/jobs", 405, "method-not-allowed"),
        ("TRACE", "/livez", 405, "method-not-allowed"),
    ],
)
def test_what_is_not_there_is_a_problem(method: str, path: str, status: int, kind: str, door: Door) -> None:
    answer = door.ask(method, path)
    assert answer.status_code == status
    assert answer.json()["type"] == f"/problems/{kind}"
    assert (status == 405) == ("allow" in answer.headers)


@pytest.mark.parametrize(
    ("given", "status", "kind"),
    [
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "malformed-request"),
        ({"content": b"x" * 300_000}, 413, "too-large"),
        ({"content": b"task=http.request"}, 415, "unsupported-media-type"),
        ({"json": {"task": "nothing"}}, 422, "invalid"),
        ({}, 422, "invalid"),
    ],
)
def test_bodies_that_cannot_be_are_problems(given: dict[str, Any], status: int, kind: str, door: Door) -> None:
    answer = door.ask("POST", "/v1/jobs", **given)
    assert answer.status_code == status
    assert answer.json()["type"] == f"/problems/{kind}"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/task"),
        ([], ""),
        ({"task": 1}, "/task"),
        ({"task": "nothing"}, "/task"),
        ({"task": "http.request", "payload": {}}, "/payload/url"),
        ({"task": "http.request", "payload": {"url": "x"}}, "/payload/url"),
        ({"task": "http.request", "payload": {**LINKS, "success": [200, 1]}}, "/payload/success/1"),
        ({"task": "http.request", "payload": LINKS, "tags": ["a", ""]}, "/tags/1"),
        ({"task": "http.request", "payload": LINKS, "metadata": {"a/b~c": 1}}, "/metadata/a~1b~0c"),
        ({"task": "http.request", "payload": LINKS, "metadata": {"": "x"}}, "/metadata/"),
        ({"task": "http.request", "payload": LINKS, "queue": "nothing"}, "/queue"),
        ({"task": "http.request", "payload": LINKS, "delay": 1, "run_at": "2027-01-01T00:00:00Z"}, ""),
        (
            {"task": "http.request", "payload": LINKS, "retry": {"backoff": {"kind": "fixed", "delay": "x"}}},
            "/retry/backoff/delay",
        ),
        ({"task": "http.request", "payload": LINKS, "retry": {"backoff": {"kind": "schedule"}}}, "/retry/backoff/delays"),
        ({"task": "http.request", "payload": LINKS, "retry": {"backoff": {"kind": "none"}}}, "/retry/backoff"),
        ({"task": "http.request", "payload": LINKS, "tag": []}, "/tag"),
        ({"task": "http.request", "payload": LINKS, "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
    ],
)
def test_what_is_wrong_is_pointed_at(body: Any, pointer: str, door: Door) -> None:
    answer = door.ask("POST", "/v1/jobs", json=body)
    assert answer.status_code == 422
    assert [wrong["pointer"] for wrong in answer.json()["errors"]] == [pointer]


ONE = {"task": "http.request", "payload": LINKS, "name": "one"}


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        (
            "POST",
            "/v1/jobs",
            {"task": "http.request", "payload": LINKS, "retry": {"max_attempts": "5"}},
            "/retry/max_attempts",
        ),
        ("POST", "/v1/bulk-actions", {"verb": "retry", "filter": {"state": "failed"}, "rate": "5"}, "/rate"),
        ("POST", "/v1/keys", {"name": "x", "quota": "5"}, "/quota"),
        ("POST", "/v1/keys", {"name": "x", "scope": "read", "blind": 1}, "/blind"),
        ("PATCH", "/v1/queues/default", {"max_running": "5"}, "/max_running"),
        ("PATCH", "/v1/queues/default", {"rate": True}, "/rate"),
        ("POST", "/v1/schedules", {**ONE, "every": "1h", "paused": 0}, "/paused"),
        ("POST", "/v1/subscriptions", {**ONE, "types": ["order.*"], "paused": "yes"}, "/paused"),
        (
            "POST",
            "/v1/events/replay",
            {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z", "dead": 0},
            "/dead",
        ),
    ],
)
def test_a_number_or_a_truth_is_not_taken_from_something_like_it(
    method: str, path: str, body: dict[str, Any], pointer: str, door: Door
) -> None:
    answer = door.ask(method, path, json=body)
    assert answer.status_code == 422
    assert [wrong["pointer"] for wrong in answer.json()["errors"]] == [pointer]


def test_values_outside_the_body_are_named_by_kind(door: Door) -> None:
    answer = door.ask("GET", "/v1/jobs?limit=0&state=dead")
    assert {wrong["pointer"] for wrong in answer.json()["errors"]} == {"/query/limit", "/query/state"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "malformed-request"),
        (404, "not-found"),
        (405, "method-not-allowed"),
        (413, "too-large"),
        (415, "unsupported-media-type"),
    ],
)
def test_the_frameworks_errors_are_problems(status: int, kind: str) -> None:
    answer = raising(HTTPException(status, headers={"x-kept": "yes"}))
    problem = check_problem(status, answer.headers, answer.content)
    assert problem["type"] == f"/problems/{kind}"
    assert answer.headers["x-kept"] == "yes"


def test_a_bug_is_a_problem_that_tells_nothing_but_where_the_log_has_it() -> None:
    with structlog.testing.capture_logs() as lines:
        answer = raising(RuntimeError("password=hunter2"))
    problem = json.loads(answer.content)
    assert answer.status_code == problem["status"] == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["request_id"] == "mine"
    assert "hunter2" not in answer.text
    assert [line["log_level"] for line in lines] == ["error"]


def test_a_busy_ledger_says_when_to_come_back() -> None:
    answer = raising(LedgerBusy())
    assert check_problem(503, answer.headers, answer.content)["type"] == "/problems/ledger-busy"
    assert answer.headers["retry-after"] == "1"


def test_a_late_queue_says_when_to_come_back() -> None:
    answer = raising(errors.Overloaded("default", after=timedelta(seconds=2.5)))
    assert check_problem(503, answer.headers, answer.content)["type"] == "/problems/overloaded"
    assert answer.headers["retry-after"] == "3"


def _made(kind: type[JobError]) -> JobError:
    examples: dict[type[JobError], Callable[[], JobError]] = {
        errors.JobNotFound: lambda: errors.JobNotFound(uuid4()),
        errors.ActionNotFound: lambda: errors.ActionNotFound(uuid4()),
        errors.KeyNotFound: lambda: errors.KeyNotFound("x"),
        errors.OutOfReach: lambda: errors.OutOfReach("x", "default"),
        errors.NotUnique: lambda: errors.NotUnique(uuid4(), "running", "reject"),
        errors.EventNotFound: lambda: errors.EventNotFound(uuid4()),
        errors.RuleNotFound: lambda: errors.RuleNotFound("subscription", "x"),
        errors.RuleExists: lambda: errors.RuleExists("subscription", "x"),
        errors.MoveRefused: lambda: errors.MoveRefused("cancelling it", "running"),
        errors.ScheduleNotFound: lambda: errors.ScheduleNotFound("x"),
        errors.ScheduleExists: lambda: errors.ScheduleExists("x"),
        errors.Invalid: lambda: errors.Invalid.at("/x", "is wrong"),
    }
    return examples.get(kind, kind)()


_ELSEWHERE = {errors.Overloaded, errors.Forged}  # a 503, and told by the route, which counts it


@pytest.mark.parametrize("kind", [kind for kind in JobError.__subclasses__() if kind not in _ELSEWHERE])
def test_every_error_of_the_ledger_has_an_answer_that_is_not_a_failure(kind: type[JobError]) -> None:
    answer = raising(_made(kind))
    assert 400 <= answer.status_code < 500, "a new JobError needs a line in api/problems.py"
    check_problem(answer.status_code, answer.headers, answer.content)


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_leads_to_a_page_that_says_what_to_do(kind: str, door: Door) -> None:
    page = door.ask("GET", f"/problems/{kind}")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/plain; charset=utf-8"
    assert page.text == f"{KINDS[kind].title} ({KINDS[kind].status})\n\n{KINDS[kind].advice}\n"
    assert re.search(r"[.]\n$", page.text)


def test_a_type_that_we_do_not_have_leads_nowhere(door: Door) -> None:
    assert door.ask("GET", "/problems/bad-mood").status_code == 404
