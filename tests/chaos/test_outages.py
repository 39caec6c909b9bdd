"""The broker away, the database away: jobs are accepted or refused cleanly, never hung, never half stored."""

import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import redis

from jobs.states import State
from tests.chaos.conftest import Record
from tests.chaos.forms import forms
from tests.laboratory import Lab
from tests.servers import Postgres, wait_until

TRUST = 4.0  # seconds: the laboratory's lease less a heartbeat


def _post_for(lab: Lab, seconds: float, pause: float = 0.02) -> list[tuple[float, httpx2.Response]]:
    """POST one job after the other; each with how long it took."""
    answers, until = [], time.monotonic() + seconds
    body = {"task": "probe.run", "payload": {}}
    rest = threading.Event()
    while time.monotonic() < until:
        started = time.monotonic()
        answer = lab.client.post("/v1/jobs", json=body)
        answers.append((time.monotonic() - started, answer))
        rest.wait(pause)
    return answers


def _p99(answers: list[tuple[float, httpx2.Response]]) -> float:
    return statistics.quantiles([took for took, _ in answers], n=100)[98]


@pytest.mark.parametrize("fault", ["stopped", "frozen"])
@forms("away, within", short=(4, 1.0), long=(15, 0.2), endurance=(60, 0.2))
def test_jobs_are_accepted_while_the_broker_is_away_and_run_when_it_is_back(
    laboratory: Callable[..., Lab], record: Record, fault: str, away: float, within: float
) -> None:
    """The short form has other tests beside it, and tells only a POST that waits for the broker from one that does not."""
    lab = laboratory().start()
    lab.wait_for(lab.submit(), State.SUCCEEDED)
    if fault == "stopped":
        lab.broker.kill()
        answers = _post_for(lab, away)
        lab.broker.start()
    else:
        with lab.broker.frozen():
            answers = _post_for(lab, away)
    back = time.monotonic()
    assert {answer.status_code for _, answer in answers} == {202}
    p99 = _p99(answers)
    assert p99 <= within
    assert lab.wait_settled(60) == {State.SUCCEEDED: len(answers) + 1}
    theirs = "publish fails after 1.5 s" if fault == "stopped" else "publish still blocked after 60 s"
    ours = f"{len(answers)} of {len(answers)} accepted, p99 {p99 * 1000:.0f} ms"
    record(5, f"broker {fault} for {away:g} s", theirs, ours, time.monotonic() - back)


@pytest.mark.timeout(600)
@forms("jobs, rounds", short=(200, 1), long=(1000, 3))
def test_what_the_broker_forgets_is_offered_again(
    laboratory: Callable[..., Lab], record: Record, jobs: int, rounds: int
) -> None:
    lab = laboratory(hint_window="1000").start()

    def forget() -> float:
        for _ in range(rounds):
            lab.wait_progress()
            lab.broker.kill()
            lab.broker.start()
            lab.wait_progress()
            with redis.Redis.from_url(lab.broker.url) as client:
                client.flushall()
            lab.wait_progress()
            with lab.broker.frozen():
                threading.Event().wait(3)
        return time.monotonic()

    with lab.paused():
        accepted = lab.submit_calls(jobs, "/effect?ms=300")
    back = forget()
    assert lab.wait_settled(120) == {State.SUCCEEDED: jobs}
    assert lab.third_party.effects == set(accepted)
    ours = f"0 of {jobs} lost in {rounds * 3} faults; {lab.third_party.count() - jobs} extra calls"
    record(5, "broker killed with nothing kept, flushed, frozen", "274 to 304 of 999 lost", ours, time.monotonic() - back)


@contextmanager
def _ledger_away(request: pytest.FixtureRequest, url: str, fault: str) -> Iterator[None]:
    if fault == "locked":
        lock = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        wait_until(lambda: _begun(lock), 10, "the lock")
        yield
        lock.execute("ROLLBACK")
        lock.close()
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    if fault == "frozen":
        with postgres.frozen():
            yield
        return
    postgres.stop()
    yield
    postgres.start()


def _begun(lock: sqlite3.Connection) -> bool:
    try:
        lock.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


FAULTS = [("sqlite", "locked"), ("postgresql", "stopped"), ("postgresql", "frozen")]


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("ledger_url", "fault"), FAULTS, indirect=["ledger_url"])
@pytest.mark.parametrize(
    ("jobs", "away"), [pytest.param(100, 6, id="short", marks=pytest.mark.short), pytest.param(500, 12, id="long")]
)
def test_a_ledger_that_is_away_refuses_in_a_second_and_then_everything_goes_on(
    laboratory: Callable[..., Lab],
    record: Record,
    request: pytest.FixtureRequest,
    ledger_url: str,
    fault: str,
    jobs: int,
    away: float,
) -> None:
    lab = laboratory().start()
    with lab.paused():
        accepted = lab.submit_calls(jobs, "/effect?ms=300")
    lab.wait_progress()
    with _ledger_away(request, ledger_url, fault):
        gone = time.monotonic()
        refused = _post_for(lab, away, pause=0.1)
    back = time.monotonic()
    slowest = max(took for took, _ in refused)
    for took, answer in refused:
        assert answer.status_code == 503, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "1"
        assert took < 1.0, f"refused after {took:.2f} s"
    late = [start for spans in lab.third_party.calls.values() for start, _ in spans if gone + TRUST + 1 < start < back]
    assert not late, "a call was begun after the trust window"
    wait_until(lambda: lab.client.post("/v1/jobs", json={"task": "probe.run"}).status_code == 202, 15, "the door to open")
    assert lab.wait_settled(90) == {State.SUCCEEDED: jobs + 1}, "a refused job was stored, or one was lost"
    assert lab.third_party.effects == set(accepted)
    extra = lab.third_party.count() - jobs
    ours = f"{len(refused)} POSTs refused with 503 in {slowest:.2f} s at most; 0 of {jobs} lost, {extra} extra calls"
    record(7, f"ledger {fault} for {away:g} s", "–", ours, time.monotonic() - back)


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_jobs_settle_although_the_ledger_was_away_when_they_ended(
    laboratory: Callable[..., Lab], ledger_url: str, request: pytest.FixtureRequest
) -> None:
    lab = laboratory().start()
    job_id = lab.submit(payload={"do": "sleep", "seconds": 1})
    lab.wait_for(job_id, State.RUNNING)
    with _ledger_away(request, ledger_url, "locked"):
        threading.Event().wait(2.5)  # the attempt ends meanwhile
    job: dict[str, Any] = lab.wait_for(job_id)
    assert (job["state"], job["attempt"]) == ("succeeded", 1)


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_worker_that_cannot_renew_its_lease_begins_no_call(
    laboratory: Callable[..., Lab], record: Record, ledger_url: str, request: pytest.FixtureRequest
) -> None:
    lab = laboratory().start()
    job_id = lab.submit(payload={"do": "call late", "seconds": TRUST + 2, "url": lab.third_party.url})
    lab.wait_for(job_id, State.RUNNING)
    with _ledger_away(request, ledger_url, "locked"):
        threading.Event().wait(TRUST + 4)  # the time of its call comes meanwhile
        assert lab.third_party.count() == 0
    back = time.monotonic()
    assert [attempt["outcome"] for attempt in lab.wait_for(job_id, seconds=40)["attempts"]] == ["snoozed", "succeeded"]
    assert lab.third_party.count() == 1
    record(7, "ledger locked when a call is to begin", "–", "no call past the trust window", time.monotonic() - back)
