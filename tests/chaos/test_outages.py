"""The broker away, the database away: jobs are accepted or refused cleanly, never hung, never half stored."""

import sqlite3
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from jobs.states import State
from tests.laboratory import Lab
from tests.servers import Postgres, wait_until

AWAY = 8  # seconds; tests marked long take 20


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
@pytest.mark.parametrize("away", [pytest.param(AWAY, id="short"), pytest.param(20, id="long", marks=pytest.mark.long)])
def test_jobs_are_accepted_while_the_broker_is_away_and_run_when_it_is_back(
    laboratory: Callable[..., Lab], fault: str, away: float
) -> None:
    lab = laboratory().start()
    lab.wait_for(lab.submit(), State.SUCCEEDED)
    if fault == "stopped":
        lab.broker.kill()
        answers = _post_for(lab, away)
        lab.broker.start()
    else:
        with lab.broker.frozen():
            answers = _post_for(lab, away)
    assert {answer.status_code for _, answer in answers} == {202}
    print(f"{fault}: {len(answers)} accepted, p99 {_p99(answers) * 1000:.0f} ms")
    assert _p99(answers) <= 0.2
    assert lab.wait_settled(60) == {State.SUCCEEDED: len(answers) + 1}


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_locked_sqlite_ledger_refuses_within_a_second_and_stores_nothing(
    laboratory: Callable[..., Lab], ledger_url: str
) -> None:
    lab = laboratory()
    lab.api.start()
    accepted = lab.submit()
    lock = sqlite3.connect(ledger_url.removeprefix("sqlite:///"), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    refused = _post_for(lab, 3)
    lock.execute("ROLLBACK")
    lock.close()
    _check_refusals(refused)
    wait_until(
        lambda: lab.client.post("/v1/jobs", json={"task": "probe.run"}).status_code == 202, 5, "the door to open again"
    )
    assert sum(lab.states().values()) == 2, f"only {accepted} and the last one were accepted"


@pytest.mark.parametrize("ledger_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("fault", ["stopped", "frozen"])
def test_a_postgres_ledger_that_is_away_refuses_within_a_second_and_stores_nothing(
    laboratory: Callable[..., Lab], fault: str, request: pytest.FixtureRequest
) -> None:
    postgres: Postgres = request.getfixturevalue("postgres")
    lab = laboratory()
    lab.api.start()
    lab.submit()
    if fault == "stopped":
        postgres.stop()
        refused = _post_for(lab, 4)
        postgres.start()
    else:
        with postgres.frozen():
            refused = _post_for(lab, 4)
    _check_refusals(refused)
    wait_until(
        lambda: lab.client.post("/v1/jobs", json={"task": "probe.run"}).status_code == 202, 10, "the door to open again"
    )
    assert sum(lab.states().values()) == 2, "a refused job was stored"


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_jobs_settle_although_the_ledger_was_away_when_they_ended(laboratory: Callable[..., Lab], ledger_url: str) -> None:
    lab = laboratory().start()
    job_id = lab.submit(payload={"do": "sleep", "seconds": 1})
    lab.wait_for(job_id, State.RUNNING)
    lock = sqlite3.connect(ledger_url.removeprefix("sqlite:///"), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    threading.Event().wait(2.5)  # the attempt ends meanwhile
    lock.execute("ROLLBACK")
    lock.close()
    job: dict[str, Any] = lab.wait_for(job_id)
    assert (job["state"], job["attempt"]) == ("succeeded", 1)


def _check_refusals(refused: list[tuple[float, httpx2.Response]]) -> None:
    assert refused
    for took, answer in refused:
        assert answer.status_code == 503, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "1"
        assert took < 1.0, f"refused after {took:.2f} s"
