"""Every question that the API asks of its database runs on an index: what the routes send is recorded, and explained."""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import httpx2
import pytest
from sqlalchemy import Engine

from jobs.model import Job
from runtime.database import transaction
from scheduler import bulk
from tests import make, plans
from tests.contract.door import Door
from tests.crowd import run

SMALL = {
    "api_keys",
    "audience",
    "endpoints",
    "holds",
    "queues",
    "rulebooks",
    "schedules",
    "sources",
    "subscriptions",
    "workers",
}
"""Tables that grow with what people set up, not with what happens."""

GROWING = {table.name for table in Job.metadata.sorted_tables} - SMALL

GIVEN = {
    "state": "failed", "task": "http.request", "queue": "default", "schedule_id": "01980000-0000-7000-8000-000000000000",
    "tags": "a", "metadata": "a=b", "account": "main", "error_class": "Rejected", "created_after": "2026-01-01T00:00:00Z",
    "created_before": "2099-01-01T00:00:00Z", "text": "word", "type": "order.paid", "dead": "true",
    "since": "2026-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z", "about": "x", "limit": "2", "count": "2",
    "before": "01980000-0000-7000-8000-000000000000", "fields": "id,payload",
}  # fmt: skip
"""A value for each thing that can be asked for in a query."""

CRON = {"name": "nightly", "task": "http.request", "payload": {"url": "https://example.com"}, "every": "1h"}
RULE = {"name": "paid", "types": ["order.*"], "task": "http.request", "payload": {"url": "https://example.com"}}


@pytest.fixture
def door(ledger: Engine) -> Iterator[Door]:
    """A door that does not count what was made: that is not what is looked at here."""
    with Door() as opened:
        yield opened


@pytest.fixture
def names(door: Door) -> dict[str, str]:
    """One of everything, by the name that paths have for it."""
    with transaction() as session:
        make.worker(session)
    door.ask("POST", "/v1/schedules", json=CRON)
    door.ask("POST", "/v1/subscriptions", json=RULE)
    door.ask("POST", "/v1/sources", json={"name": "github", "kind": "github", "secrets": ["s" * 32]})
    endpoint = door.ask("POST", "/v1/endpoints", json={"url": "https://example.com", "types": ["order.*"]}).json()
    event = door.ask("POST", "/v1/events", json={"type": "order.paid", "source": "/shop", "id": "1"}).json()
    job = door.post_job(tags=["a"], metadata={"a": "b"}, headers={"idempotency-key": "k"}).json()
    action = door.ask("POST", "/v1/bulk-actions", json={"verb": "cancel", "filter": {"tags": ["a"]}}).json()
    return {
        "job_id": job["id"], "action_id": action["id"], "event_id": event["id"], "endpoint_id": endpoint["id"],
        "key_id": door.keys["read"].split("_")[1],
        "queues": "default", "schedules": "nightly", "subscriptions": "paid", "sources": "github", "tasks": "http.request",
    }  # fmt: skip


def questions(door: Door, names: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Every path that can be read: plain, with each thing that can be asked for, and with each two."""
    for path, operations in door.app.openapi()["paths"].items():
        operation = operations.get("get")
        if (
            operation is None
            or not path.startswith("/v1/")
            or path.startswith("/v1/hooks/")
            or "text/event-stream" in str(operation)
        ):
            continue
        called = re.sub(r"\{(\w+)\}", lambda gap: names.get(gap[1]) or names.get(path.split("/")[2], "none"), path)  # noqa: B023
        asked = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query" and each["name"] in GIVEN]
        for some in [(), *combinations(asked, 1), *combinations(asked, 2)]:
            yield called, {name: GIVEN[name] for name in some}


def explained(ledger: Engine, sent: list[plans.Sent]) -> dict[str, set[str]]:
    """Of the statements that touch a table that grows: those that do so without an index, and how."""
    asked = {each.statement: each for each in sent if each.statement.startswith(("SELECT", "UPDATE", "DELETE"))}
    grows = [each for each in asked.values() if GROWING & set(re.findall(r"\w+", each.statement))]
    wrong = {each.statement: plans.scanned(ledger, each) - SMALL for each in grows}
    return {statement: how for statement, how in wrong.items() if how}


def test_whatever_is_read_is_read_by_an_index(ledger: Engine, door: Door, names: dict[str, str]) -> None:
    with plans.watched(ledger) as sent:
        for path, query in questions(door, names):
            answer: httpx2.Response = door.client.get(path, params=query)
            assert answer.status_code in {200, 422}, f"{path} {query}: {answer.text}"
            if cursor := answer.json().get("next_cursor"):
                door.client.get(path, params=query | {"cursor": cursor})
    assert len({each.statement for each in sent}) > 100
    assert explained(ledger, sent) == {}


def test_whatever_is_changed_is_found_by_an_index(ledger: Engine, door: Door, names: dict[str, str]) -> None:
    job: dict[str, Any] = door.post_job().json()
    run(failed := door.post_job().json(), make.FAILURE)
    with plans.watched(ledger) as sent:
        door.post_job(headers={"idempotency-key": "k"})
        door.post_job(unique={"key": "one", "scope": "open", "on_conflict": "replace"})
        door.post_job(unique={"key": "one", "scope": "open", "on_conflict": "replace"})
        door.ask("POST", "/v1/jobs/bulk", json={"jobs": [{"task": "http.request", "payload": {"url": "https://a.example"}}]})
        door.ask("PATCH", f"/v1/jobs/{job['id']}", json={"priority": "low"})
        door.ask("POST", f"/v1/jobs/{job['id']}/cancel")
        door.ask("POST", f"/v1/jobs/{job['id']}/retry")
        door.ask(
            "POST", f"/v1/jobs/{failed['id']}/replay", json={}, headers={"content-type": "application/merge-patch+json"}
        )
        for verb in (
            {"verb": "retry"},
            {"verb": "prioritise", "priority": "low"},
            {"verb": "reschedule", "delay": "1h"},
            {"verb": "cancel"},
        ):
            action = door.ask("POST", "/v1/bulk-actions", json=verb | {"filter": {"tags": ["a"]}}).json()
            bulk.act()
            door.ask("POST", f"/v1/bulk-actions/{action['id']}/abort")
            door.ask("POST", f"/v1/bulk-actions/{action['id']}/resume")
        door.ask("POST", "/v1/events", json={"type": "order.paid", "source": "/shop", "id": "1"})
        door.ask("POST", f"/v1/events/{names['event_id']}/replay", json={})
        door.ask("POST", "/v1/events/replay", json={"since": GIVEN["since"], "until": GIVEN["until"], "dead": False})
        for act in ("ping", "disable", "enable"):
            door.ask("POST", f"/v1/endpoints/{names['endpoint_id']}/{act}")
        for act in ("pause", "resume"):
            door.ask("POST", f"/v1/queues/default/{act}")
        door.ask("POST", "/v1/schedules/nightly/run")
        door.ask("PATCH", "/v1/schedules/nightly", json={"every": "2h"})
        door.ask("DELETE", "/v1/schedules/nightly")
        door.ask("DELETE", "/v1/subscriptions/paid")
        door.ask("DELETE", f"/v1/endpoints/{names['endpoint_id']}")
    assert len({each.statement for each in sent}) > 50
    assert explained(ledger, sent) == {}
