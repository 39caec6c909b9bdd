"""Wall clocks that are set while everything runs, daylight saving, and schedulers killed at every due time."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jobs.states import State
from tests.chaos.conftest import Record
from tests.chaos.forms import LEDGERS, forms
from tests.compiler import NoCompiler, build
from tests.host_clock import SOURCE, HostClock
from tests.laboratory import Lab
from tests.servers import wait_until

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What moves a process's clock."""
    try:
        return build(SOURCE, tmp_path_factory.mktemp("clock"))
    except NoCompiler as why:
        pytest.skip(f"clocks are not set here: {why}")


@pytest.fixture
def host(library: Path, tmp_path: Path) -> HostClock:
    """The clock of the laboratory's host."""
    return HostClock(library, tmp_path / "clock")


@pytest.fixture
def lab(laboratory: Callable[..., Lab], host: HostClock) -> Iterator[Lab]:
    """A laboratory that lives by the host's clock. Nothing runs yet."""
    made = laboratory(door_patience="10s")
    made.environment.update(host.environment)
    return made


def schedule(lab: Lab, name: str, **fields: Any) -> None:
    made = lab.client.post("/v1/schedules", json={"name": name, "task": "probe.run", **fields})
    assert made.status_code == 201, made.text


def due_times(lab: Lab) -> list[datetime]:
    """The due times that were made into jobs; each into one."""
    made = [(at, job) for at, job in lab.ticks() if job is not None]
    assert len({job for _, job in made}) == len(made)
    return [at for at, _ in made]


@pytest.mark.parametrize("ledger_url", LEDGERS, indirect=True)
def test_a_clock_set_by_an_hour_kills_no_worker_and_doubles_no_job(lab: Lab, host: HostClock, record: Record) -> None:
    lab.start()
    schedule(lab, "each-second", every="1s", catch_up="2s")
    wait_until(lambda: len(due_times(lab)) >= 2, 20, "two due times")
    for step in (-HOUR, HOUR, HOUR):
        running = [lab.submit(payload={"do": "sleep", "seconds": 4}) for _ in range(4)]
        delayed = lab.submit(delay="2s")
        for job_id in running:
            lab.wait_for(job_id, State.RUNNING)
        host.step(step)
        for job_id in running:
            job = lab.wait_for(job_id)
            assert (job["state"], len(job["attempts"])) == ("succeeded", 1), "its worker was taken for dead"
        assert len(lab.job(delayed)["attempts"]) <= 1
    so_far = len(due_times(lab))
    wait_until(lambda: len(due_times(lab)) >= so_far + 2, 20, "the schedule to go on")
    assert lab.client.patch("/v1/schedules/each-second", json={"paused": True}).status_code == 200
    states = lab.wait_settled(30)
    assert set(states) == {State.SUCCEEDED}
    assert sum(states.values()) == 3 * 5 + len(due_times(lab)), "a due time has two jobs, or none"
    record(14, "clock set back by an hour, and forth by two", "–", "0 workers taken for dead, 0 doubled", None)


def utc(month: int, day: int, hour: int, minute: int) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


SPRING = [utc(3, 28, 1, 30), utc(3, 29, 1, 0), utc(3, 30, 0, 30)]  # on the 29th there is no 2:30: at 3:00
AUTUMN = [utc(10, 24, 0, 30), utc(10, 25, 0, 30), utc(10, 26, 1, 30)]  # on the 25th there are two: at the first
SECOND = utc(10, 25, 1, 30)


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("expected", "passing"),
    [pytest.param(SPRING, SPRING, id="spring"), pytest.param(AUTUMN, sorted([*AUTUMN, SECOND]), id="autumn")],
)
def test_a_nightly_schedule_in_berlin_fires_once_a_night_when_daylight_saving_changes(
    lab: Lab, host: HostClock, expected: list[datetime], passing: list[datetime], record: Record
) -> None:
    host.set(expected[0] - timedelta(minutes=1))
    lab.start()
    schedule(lab, "nightly", cron="30 2 * * *", zone="Europe/Berlin")
    for instant in passing:
        host.set(instant - timedelta(seconds=1))
        due = [at for at in expected if at <= instant]
        wait_until(lambda: due_times(lab) == due, 10, f"{instant} to be made a job")  # noqa: B023
        wait_until(lambda: host.now() > instant + timedelta(seconds=2), 10, "that moment to pass")  # noqa: B023
    assert due_times(lab) == expected
    record(14, "daylight saving changes, 2:30 in Berlin", "–", f"{len(expected)} nights, {len(expected)} jobs", None)


@pytest.mark.timeout(600)
@forms("due, kills", short=(20, 6), long=(40, 12), endurance=(100, 30))
def test_each_due_time_is_one_job_while_three_schedulers_are_killed(
    laboratory: Callable[..., Lab], due: int, kills: int, record: Record
) -> None:
    lab = laboratory()
    lab.api.start()
    for _ in range(3):
        lab.add_scheduler()
    lab.add_worker()
    schedule(lab, "each-second", every="1s")
    for turn in range(kills):
        wait_until(lambda: len(lab.ticks()) >= due * turn // kills, 60, "due times to be made")  # noqa: B023
        victim = lab.schedulers[turn % 3]
        victim.kill()
        victim.start()
    wait_until(lambda: len(lab.ticks()) >= due, due, f"{due} due times")
    assert lab.client.patch("/v1/schedules/each-second", json={"paused": True}).status_code == 200
    times = due_times(lab)
    assert len(times) >= due
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(seconds=1)}, "a due time was missed"
    states = lab.wait_settled(30)
    assert states == {State.SUCCEEDED: len(times)}, "a due time has two jobs, or none"
    record(
        13,
        f"3 schedulers, each killed {kills // 3} times",
        "two beats: 20 runs for 11 due times; each kill repeats a tick",
        f"{len(times)} due times, {sum(states.values())} jobs, 0 missed, 0 doubled",
        None,
    )
