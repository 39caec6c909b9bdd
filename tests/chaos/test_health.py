"""A provider that is down, slow to accept or asks us to wait: its jobs wait with it, and come back as it can take them."""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import redis
import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobs.model import Attempt, Hold, Job
from jobs.states import Ending, State
from tasks.health.circuit import ROW
from tests.chaos.conftest import Record
from tests.chaos.forms import forms, on_sqlite_first
from tests.laboratory import Lab, Part
from tests.servers import free_port, wait_until

SLOTS = 16


class Moody:
    """The provider, as a process of its own, and the laboratory that calls it."""

    def __init__(self, laboratory: Callable[..., Lab], account: str = "moody", **settings: str) -> None:
        self.account, self.port = account, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx2.Client(base_url=self.url, timeout=5, trust_env=False)
        ours = {"task_modules": "tests.probe,tests.moody", "door_patience": "20s", "lease": "60s"}
        given = ours | {f"accounts__{account}__base_url": self.url} | settings
        self.lab = laboratory(**given)
        command = ["uvicorn", "tests.moody_server:app", "--port", str(self.port), "--no-access-log"]
        self.server = Part("moody", command, self.lab.environment, self._answers)
        self.lab.parts.append(self.server)
        self.server.start()
        self.lab.api.start()

    def start(self, workers: int = 1) -> "Moody":
        """The workers, and a scheduler."""
        for _ in range(workers):
            self.lab.add_worker(slots=SLOTS)
        self.lab.add_scheduler()
        wait_until(self.lab._worker_lives, 60, "the workers to join")
        return self

    def _answers(self) -> bool:
        try:
            return self.client.get("/noted").status_code == 200
        except httpx2.HTTPError:
            return False

    def be(self, status: int, **headers: str) -> float:
        """Its mood from now on. Returns the instant, on its clock."""
        self.client.post("/mood", json={"status": status, "headers": headers})
        return float(self.noted()["now"])

    def noted(self) -> dict[str, Any]:
        """When it was called."""
        answer: dict[str, Any] = self.client.get("/noted").json()
        return answer

    def calls(self, since: float = 0.0) -> list[float]:
        """When it was called, from an instant on."""
        found: list[float] = self.noted()["calls"]
        return found[bisect_left(found, since) :]

    def submit(self, count: int) -> None:
        """So many jobs for it."""
        for start in range(0, count, 500):
            jobs = [
                {"task": f"{self.account}.call", "payload": {"number": number}}
                for number in range(start, min(count, start + 500))
            ]
            answer = self.lab.client.post("/v1/jobs/bulk", json={"jobs": jobs}, timeout=60)
            assert answer.status_code == 202, answer.text[:1000]

    def hold(self) -> Hold | None:
        """What holds its account."""
        with Session(self.lab.engine) as session:
            return session.get(Hold, self.account)

    def spent(self, status: int) -> int:
        """How many attempts were spent on such an answer."""
        with Session(self.lab.engine) as session:
            errors = session.scalars(sa.select(Attempt.error).where(Attempt.outcome == Ending.RETRY))
            return sum(error is not None and error.get("status") == status for error in errors)


@pytest.fixture
def moody(laboratory: Callable[..., Lab]) -> Iterator[Callable[..., Moody]]:
    """Makes the test's provider and laboratory."""
    made: list[Moody] = []

    def make(**settings: str) -> Moody:
        made.append(Moody(laboratory, **settings))
        return made[-1]

    yield make
    for one in made:
        one.client.close()


def most_within(calls: list[float], seconds: float) -> int:
    """The most calls in any stretch of time so long."""
    return max(bisect_left(calls, at + seconds) - number for number, at in enumerate(calls))


def probes_in(outage: float, first: float, most: float) -> int:
    """How often a circuit that opens for so long is probed in that time."""
    count, at, span = 0, first, first
    while at <= outage:
        count, span = count + 1, min(2 * span, most)
        at += span
    return count


@pytest.mark.timeout(600)
@forms("jobs, outage, first, most", short=(500, 6, 1, 4), long=(1000, 12, 4, 16), endurance=(5000, 60, 30, 600))
def test_a_provider_that_is_down_is_only_probed_and_its_jobs_come_back_in_a_ramp(
    moody: Callable[..., Moody], record: Record, jobs: int, outage: float, first: float, most: float
) -> None:
    down = moody(circuit_open=f"{first}s", circuit_open_max=f"{most}s")
    down.be(503)
    down.submit(jobs)
    down.start(workers=2)
    wait_until(lambda: down.hold() is not None, 60, "the circuit to open")
    seen = down.noted()["now"]
    wait_until(lambda: down.noted()["now"] >= seen + outage, outage + 30, "the outage to last")
    outside = down.calls()
    well = down.be(200)
    back = time.monotonic()
    assert len(outside) <= ROW - 1 + 2 * SLOTS + probes_in(outage, first, most)
    assert len([call for call in outside if call > seen + first / 2]) <= probes_in(outage, first, most)
    assert down.lab.wait_settled(180) == {State.SUCCEEDED: jobs}
    recovered = time.monotonic() - back
    spent = down.spent(503)
    assert spent < 2 * ROW, "those that failed before the circuit opened; a worker that cannot reach Redis counts by itself"
    after = down.calls(well)
    seconds = [count for _, count in sorted(Counter(int(call - after[0]) for call in after).items())]
    print(f"{len(outside)} calls in the outage, {spent} jobs spent an attempt; by seconds after it: {seconds}")
    assert seconds[0] <= 8
    assert max(seconds[:3]) < max(seconds[-4:]), "a ramp"
    ramp = ", ".join(map(str, seconds[:4]))
    ours = f"{len(outside)} calls, {spent} attempts spent; then {ramp} … calls a second"
    record(16, f"a provider down for {outage:g} s, {jobs} jobs wait", "–", ours, recovered)


@pytest.mark.timeout(600)
@forms("jobs, least", short=(400, 0), long=(1000, 45), endurance=(3000, 45), long_on=("sqlite",))
def test_a_provider_s_rate_is_kept_by_four_workers_and_used(
    moody: Callable[..., Moody], record: Record, jobs: int, least: float
) -> None:
    limited = moody(accounts__moody__rate="50/s")
    limited.start(workers=4)
    limited.submit(jobs)
    assert limited.lab.wait_settled(120 + jobs / 20) == {State.SUCCEEDED: jobs}
    calls = limited.calls()
    average = (len(calls) - 1) / (calls[-1] - calls[0])
    ours = f"{len(calls)} calls: at most {most_within(calls, 1)} in any second, {average:.1f} on average"
    print(ours)
    assert len(calls) == jobs
    assert most_within(calls, 1) <= 52
    assert average >= least, "a machine that is busy with other work is slower, so only the long form asks"
    assert limited.spent(429) == 0
    record(16, "a provider's rate of 50/s, four workers", "–", ours, None)


@on_sqlite_first
def test_what_a_provider_asks_holds_all_its_jobs_and_spends_no_attempt(moody: Callable[..., Moody]) -> None:
    asking = moody()
    asking.be(429, **{"retry-after": "4"})
    asking.submit(100)
    asking.start(workers=2)
    wait_until(lambda: asking.hold() is not None, 60, "the account to be held")
    told = asking.calls()[-1]
    asking.be(200)
    assert asking.lab.wait_settled(60) == {State.SUCCEEDED: 100}
    calls = asking.calls()
    assert len(calls) <= 100 + 2 * SLOTS
    assert not [call for call in calls if told + 1 < call < told + 3.5]
    assert asking.spent(429) == 0


@on_sqlite_first
def test_a_probe_of_its_own_goes_before_a_job_is_risked(moody: Callable[..., Moody]) -> None:
    wary = moody(account="wary", circuit_open="1s", circuit_open_max="1s")
    wary.be(503)
    wary.submit(60)
    wary.start()
    wait_until(lambda: wary.hold() is not None, 60, "the circuit to open")
    wait_until(lambda: len(wary.noted()["looks"]) >= 2, 30, "two probes")
    risked = len(wary.calls())
    assert risked <= ROW - 1 + SLOTS, "no job's call was a probe"
    wary.be(200)
    assert wary.lab.wait_settled(60) == {State.SUCCEEDED: 60}


@on_sqlite_first
@pytest.mark.parametrize("fault", ["flushed", "killed"])
def test_a_hold_outlives_the_broker_and_nothing_is_stuck(moody: Callable[..., Moody], fault: str) -> None:
    down = moody(circuit_open="15s", circuit_open_max="15s", accounts__moody__rate="100/s")
    down.be(503)
    down.submit(200)
    down.start(workers=2)
    wait_until(lambda: down.hold() is not None, 60, "the circuit to open")
    if fault == "killed":
        down.lab.broker.kill()
        down.lab.broker.start()
    else:
        with redis.Redis.from_url(down.lab.broker.url) as client:
            client.flushall()
    before, flushed = len(down.calls()), time.monotonic()
    wait_until(lambda: time.monotonic() > flushed + 3, 10, "a while")
    assert len(down.calls()) == before, "the broker forgot the count; the ledger did not forget the hold"
    down.be(200)
    assert down.lab.wait_settled(90) == {State.SUCCEEDED: 200}


@on_sqlite_first
def test_an_account_that_is_down_keeps_no_other_account_s_jobs_waiting(moody: Callable[..., Moody]) -> None:
    down = moody(circuit_open="5m")
    down.be(503)
    down.submit(300)
    down.start()
    wait_until(lambda: down.hold() is not None, 60, "the circuit to open")
    started = time.monotonic()
    for _ in range(10):
        down.lab.wait_for(down.lab.submit(), State.SUCCEEDED)
    assert time.monotonic() - started < 60, "five minutes is the hold"
    assert len(down.calls()) <= ROW - 1 + SLOTS
    with Session(down.lab.engine) as session:
        running = session.scalars(sa.select(sa.func.count()).where(Attempt.finished_at.is_(None))).one()
        assert running == 0, "no slot is taken by a job that waits"
        words = set(session.scalars(sa.select(Job.waits_for).where(Job.parked_at.is_not(None))))
    assert any(word and "503" in word for word in words)
    down.lab.patience = 0  # it stays down
