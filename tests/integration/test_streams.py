"""The stream of a job: everything that happens, each thing once and in order, however often one comes and goes."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, islice
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import insert

from jobs import attempts, happenings
from jobs.claims import Claim
from jobs.happenings import Position
from jobs.model import Job, LogLine
from jobs.outcome import Succeeded
from runtime.database import snapshot, transaction
from tests import make
from tests.clock import Clock
from tests.contract.door import Door
from tests.crowd import run


class Event(NamedTuple):
    """A server-sent event."""

    kind: str
    id: str | None
    data: dict[str, Any]


@contextmanager
def watching(door: Door, job: dict[str, Any], last: str | None = None) -> Iterator[Iterator[Event]]:
    headers = {"last-event-id": last} if last else {}
    path = f"/v1/jobs/{job['id']}/events"
    with door.new_client("read") as client, client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer.iter_lines())


def events(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line and "data" in fields:
            yield Event(fields["event"], fields.get("id"), json.loads(fields["data"]))
            fields = {}


def told(found: Iterator[Event]) -> list[Event]:
    """The record: without the events that only show how the job stands."""
    return [event for event in found if event.kind != "job"]


def say(claim: Claim, clock: Clock, *steps: int) -> None:
    """What a worker writes at a heartbeat."""
    rows = [
        {"job_id": claim.job_id, "epoch": claim.epoch, "at": clock.now(), "level": "progress",
         "message": json.dumps({"done": step, "total": 1000, "note": ""})} for step in steps
    ]  # fmt: skip
    with transaction() as session:
        session.execute(insert(LogLine), rows)


def finish(claim: Claim, clock: Clock, verdict: Any = make.SUCCESS) -> None:
    with transaction() as session:
        assert attempts.settle(session, claim, verdict, clock.now()) is not None


def test_a_stream_tells_all_that_happened_and_ends_with_the_job(door: Door, clock: Clock) -> None:
    job = door.post_job().json()
    claim = run(job)
    clock.advance(1)
    say(claim, clock, 1, 2)
    clock.advance(1)
    finish(claim, clock)
    with watching(door, job) as found:
        whole = list(found)
    assert [event.kind for event in told(iter(whole))] == ["started", "progress", "progress", "ended", "finished"]
    assert [event.data["done"] for event in whole if event.kind == "progress"] == [1, 2]
    assert whole[-1].kind == "job"
    assert whole[-1].data["state"] == whole[-2].data["state"] == "succeeded"
    assert whole[-2].data["result"] == {"ok": True}


def test_half_a_character_that_a_task_returns_or_says_is_told_as_a_question_mark(door: Door, clock: Clock) -> None:
    job = door.post_job().json()
    claim = run(job)
    with transaction() as session:
        its = {"job_id": claim.job_id, "epoch": claim.epoch, "at": clock.now(), "level": "progress"}
        session.execute(insert(LogLine), [its | {"message": json.dumps({"done": 1, "total": 2, "note": "half \ud83d"})}])
    finish(claim, clock, Succeeded({"text": "half \ud83d", "whole": "\U0001f600"}))
    with watching(door, job) as found:
        whole = {event.kind: event.data for event in found}
    assert whole["progress"]["note"] == "half ?"
    assert whole["finished"]["result"] == {"text": "half ?", "whole": "\U0001f600"}
    assert door.ask("GET", f"/v1/jobs/{job['id']}").json()["result"] == whole["finished"]["result"]


def test_what_happens_while_one_watches_is_told_at_once(door: Door, clock: Clock) -> None:
    job = door.post_job(delay="1h").json()
    with watching(door, job) as found:
        assert next(found).data["state"] == "scheduled"
        door.ask("PATCH", f"/v1/jobs/{job['id']}", json={"delay": "0s"})
        assert next(found).data["state"] == "queued"
        clock.advance(1)
        claim = run(job | {"created_at": clock.now().isoformat()})
        assert next(found).kind == "started"
        clock.advance(1)
        finish(claim, clock, make.AGAIN)
        assert [event.kind for event in islice(found, 3)] == ["job", "ended", "job"]
        door.ask("POST", f"/v1/jobs/{job['id']}/cancel")
        assert [event.kind for event in found] == ["finished", "job"]


@pytest.mark.parametrize(("visits", "steps"), [(10, 200), pytest.param(50, 1000, marks=pytest.mark.long)])
def test_who_comes_many_times_sees_each_step_once_and_in_order(door: Door, clock: Clock, visits: int, steps: int) -> None:
    job = door.post_job().json()
    claim = run(job)
    go_on = threading.Semaphore(0)

    def work() -> None:
        for start in range(0, steps, 10):
            go_on.acquire(timeout=60)
            say(claim, clock, *range(start, start + 10))
        finish(claim, clock)

    worker = threading.Thread(target=work)
    worker.start()
    seen: list[Event] = []
    for visit in count():
        go_on.release(2)
        with watching(door, job, seen[-1].id if seen else None) as found:
            news = islice((event for event in found if event.kind != "job"), 5 + visit % 15 if visit < visits else None)
            seen += news
        if seen[-1].kind == "finished":
            break
        if visit == visits:
            go_on.release(steps)
    worker.join()
    assert visit >= visits
    assert [event.data["done"] for event in seen if event.kind == "progress"] == list(range(steps))
    assert [event.kind for event in seen if event.kind != "progress"] == ["started", "ended", "finished"]


def test_each_who_watches_is_told_from_its_own_place(door: Door, clock: Clock) -> None:
    job = door.post_job().json()
    claim = run(job)
    say(claim, clock, 1, 2, 3)
    with watching(door, job) as first:
        one = [next(first), next(first)]
        with watching(door, job, one[1].id) as second:
            finish(claim, clock)
            late, early = told(second), told(first)
    whole = [event.id for event in one + early if event.id]
    assert len(set(whole)) == len(whole) == 6
    assert [event.id for event in late] == whole[2:]


def test_when_all_was_told_there_is_no_more_to_come_for(door: Door, clock: Clock) -> None:
    job = door.post_job().json()
    run(job, make.FAILURE)
    with watching(door, job) as found:
        last = told(found)[-1]
    answer = door.ask("GET", f"/v1/jobs/{job['id']}/events", headers={"last-event-id": str(last.id)})
    assert (answer.status_code, answer.content) == (204, b"")
    clock.advance(1)
    door.ask("POST", f"/v1/jobs/{job['id']}/retry")
    clock.advance(1)
    door.ask("POST", f"/v1/jobs/{job['id']}/cancel")
    with watching(door, job, last.id) as found:
        assert [(event.kind, event.data["state"]) for event in told(found)] == [("finished", "cancelled")]


@pytest.mark.parametrize("last", ["x", "1.2.3", "1.2.3.4.5", "-1.0.0.0", "²1.1.1.1", "9" * 30 + ".0.0.0"])
def test_an_id_that_we_never_gave_out_is_refused(door: Door, last: str) -> None:
    job = door.post_job().json()
    path = f"/v1/jobs/{job['id']}/events"
    assert door.ask("GET", path, headers={"last-event-id": last.encode()}).status_code == 422


def test_there_is_no_stream_of_a_job_that_is_not_there(door: Door) -> None:
    assert door.ask("GET", "/v1/jobs/01980000-0000-7000-8000-000000000000/events").status_code == 404


@pytest.mark.usefixtures("ledger")
def test_many_jobs_are_told_with_two_questions(clock: Clock) -> None:
    with transaction() as session:
        jobs = [make.job(session, make.State.SUCCEEDED) for _ in range(20)]
    with snapshot() as session:
        found = happenings.since(session, jobs, {job.id: Position() for job in jobs})
    for job in jobs:
        assert [happening.kind for happening in found[job.id]] == ["started", "ended", "finished"]
        assert isinstance(job, Job)
        assert isinstance(job.id, UUID)
