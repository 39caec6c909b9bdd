"""Schedules: each due time becomes exactly one job, however many schedulers run and however long all were away."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import RFC_4122, UUID

import pytest
from sqlalchemy import Engine, delete, select

from jobs import schedules
from jobs.errors import Invalid, ScheduleExists, ScheduleNotFound
from jobs.model import Job, Schedule, Tick
from jobs.states import State
from jobs.timetable import Timetable
from runtime.broker import Hint
from runtime.database import snapshot, transaction
from scheduler import recurring
from tests import make
from tests.clock import START, Clock

pytestmark = pytest.mark.usefixtures("ledger")

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Made = Callable[..., UUID]


@pytest.fixture
def made(clock: Clock) -> Made:
    """Makes a schedule, at the clock's start."""

    def make_one(**changes: object) -> UUID:
        with transaction() as session:
            return make.schedule(session, **changes).id

    return make_one


def tick(schedule: UUID, clock: Clock) -> int:
    with transaction() as session:
        return schedules.tick(session, schedule, clock.now())


def stored(schedule: UUID) -> Schedule:
    with snapshot() as session:
        return session.get_one(Schedule, schedule)


def change(schedule: UUID, **values: object) -> None:
    with transaction() as session:
        schedules.change(session, session.get_one(Schedule, schedule), **values)


def jobs() -> list[Job]:
    with snapshot() as session:
        return list(session.scalars(select(Job).order_by(Job.id)))


def ticks() -> dict[datetime, bool]:
    """The due times that were noted, and whether each was made into a job."""
    with snapshot() as session:
        return {tick.at: tick.job_id is not None for tick in session.scalars(select(Tick).order_by(Tick.at))}


def test_a_due_time_that_is_made_again_after_a_restore_has_the_same_job(made: Made, clock: Clock) -> None:
    schedule = made()
    following = stored(schedule).next_at
    clock.advance(60.5)
    assert tick(schedule, clock) == 1
    (first,) = jobs()
    with transaction() as session:  # the ledger is back at the point before
        session.execute(delete(Tick))
        session.execute(delete(Job))
        session.get_one(Schedule, schedule).next_at = following
    clock.advance(3)
    assert tick(schedule, clock) == 1
    (again,) = jobs()
    assert again.id == first.id
    assert (again.id.version, again.id.variant) == (7, RFC_4122)
    assert datetime.fromtimestamp((again.id.int >> 80) / 1000, UTC) == following


def test_a_due_time_becomes_a_job(made: Made, clock: Clock, sent: list[Hint]) -> None:
    schedule = made(payload={"at": "{{tick_at}}"}, queue="cpu", priority=2, tags=["t"], retry={"max_attempts": 3})
    assert tick(schedule, clock) == 0
    clock.advance(60.5)
    with snapshot() as session:
        assert list(schedules.due(session, clock.now())) == [schedule]
    assert tick(schedule, clock) == 1
    (job,) = jobs()
    assert (job.payload, job.queue, job.priority, job.tags) == ({"at": "2026-01-15T12:01:00Z"}, "cpu", 2, ["t"])
    assert (job.schedule_id, job.retry["max_attempts"], job.state) == (schedule, 3, State.QUEUED)
    assert job.meta == {"schedule": "nightly", "tick_at": "2026-01-15T12:01:00+00:00"}
    assert ticks() == {START + MINUTE: True}
    assert (stored(schedule).next_at, stored(schedule).last_at) == (START + 2 * MINUTE, START + MINUTE)
    assert len(sent) == 1


def test_a_due_time_is_made_once(made: Made, clock: Clock) -> None:
    schedule = made()
    clock.advance(MINUTE)
    assert [tick(schedule, clock) for _ in range(3)] == [1, 0, 0]


def test_many_schedulers_make_one_job_a_due_time(made: Made, clock: Clock) -> None:
    schedule = made()
    for _ in range(3):
        clock.advance(MINUTE)
        together = Barrier(8)

        def at_once(_: int, together: Barrier = together) -> int:
            together.wait(10)
            return tick(schedule, clock)

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(at_once, range(8))) == 1
    assert len(jobs()) == 3
    assert ticks() == {START + number * MINUTE: True for number in (1, 2, 3)}


def test_a_due_time_that_was_noted_is_not_made_again_even_if_the_schedule_was_set_back(made: Made, clock: Clock) -> None:
    schedule = made()
    clock.advance(MINUTE)
    tick(schedule, clock)
    with transaction() as session:
        session.get_one(Schedule, schedule).next_at = START + MINUTE
    assert tick(schedule, clock) == 0
    assert len(jobs()) == 1


def test_short_absences_are_caught_up(made: Made, clock: Clock) -> None:
    schedule = made(catch_up=5 * MINUTE)
    clock.advance(5 * MINUTE)
    assert tick(schedule, clock) == 5
    assert ticks() == {START + number * MINUTE: True for number in range(1, 6)}


def test_of_a_long_absence_the_newest_are_made_and_the_newest_of_the_rest_is_noted_as_skipped(
    made: Made, clock: Clock
) -> None:
    schedule = made(catch_up=5 * MINUTE)
    clock.advance(HOUR + timedelta(seconds=30))
    assert tick(schedule, clock) == 5
    expected = {START + number * MINUTE: True for number in range(56, 61)}
    assert ticks() == {START + 55 * MINUTE: False} | expected
    assert stored(schedule).next_at == START + 61 * MINUTE


def test_the_last_due_time_is_made_however_late(made: Made, clock: Clock) -> None:
    schedule = made(cron="0 3 * * *", catch_up=timedelta(0))
    clock.advance(40 * DAY)
    assert tick(schedule, clock) == 1
    (job,) = jobs()
    assert job.meta["tick_at"] == "2026-02-24T03:00:00+00:00"


@pytest.mark.parametrize(
    "timetable",
    [{"cron": "* * * * *"}, {"every": timedelta(seconds=1)}, {"cron": "0 0 29 2 *"}, {"cron": "* * * 1 *"}],
    ids=str,
)
@pytest.mark.parametrize("away", [31 * DAY, 800 * DAY], ids=lambda away: f"{away.days}d")
def test_a_long_absence_is_cheap(
    timetable: dict[str, object], away: timedelta, made: Made, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked = []
    real = Timetable.after

    def counted(self: Timetable, instant: datetime) -> Iterator[datetime]:
        for at in real(self, instant):
            walked.append(at)
            yield at

    schedule = made(**timetable, catch_up=timedelta(seconds=30))
    clock.advance(away)
    monkeypatch.setattr(Timetable, "after", counted)
    assert tick(schedule, clock) <= 31
    assert len(walked) < 50_000  # of up to 69 million; that many are the minutes of one January
    assert len(ticks()) <= 32
    following = stored(schedule).next_at
    assert following is not None
    assert following > clock.now()


def test_a_large_catch_up_comes_in_rounds(made: Made, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "AT_ONCE", 10)
    schedule = made(catch_up=DAY)
    clock.advance(25 * MINUTE)
    assert [tick(schedule, clock) for _ in range(4)] == [10, 10, 5, 0]
    assert ticks() == {START + number * MINUTE: True for number in range(1, 26)}


def test_the_scheduler_rests_until_the_next_due_time(made: Made, clock: Clock) -> None:
    assert recurring.tick() is None, "there is none"
    made()
    assert recurring.tick() == pytest.approx(60)
    clock.advance(60)
    assert recurring.tick() == pytest.approx(60)
    assert len(jobs()) == 1


def test_an_interval_counts_from_its_anchor_and_does_not_drift(made: Made, clock: Clock) -> None:
    schedule = made(every=timedelta(minutes=7), catch_up=DAY)
    for _ in range(10):
        clock.advance(timedelta(minutes=13, seconds=11))
        tick(schedule, clock)
    assert list(ticks()) == [START + number * timedelta(minutes=7) for number in range(1, 19)]


def test_a_paused_schedule_makes_nothing_and_catches_nothing_up(made: Made, clock: Clock) -> None:
    schedule = made(catch_up=DAY)
    change(schedule, paused_at=clock.now())
    assert stored(schedule).next_at is None
    clock.advance(HOUR)
    with snapshot() as session:
        assert list(schedules.due(session, clock.now())) == []
    assert tick(schedule, clock) == 0
    change(schedule, paused_at=None)
    assert stored(schedule).next_at == clock.now() + MINUTE
    assert tick(schedule, clock) == 0
    clock.advance(MINUTE)
    assert tick(schedule, clock) == 1
    assert stored(schedule).revision == 3


def test_a_new_timetable_counts_from_now(made: Made, clock: Clock) -> None:
    schedule = made(catch_up=DAY)
    clock.advance(timedelta(minutes=10, seconds=5))
    change(schedule, cron="0 * * * *", zone="Asia/Kathmandu")
    assert stored(schedule).next_at == START + timedelta(minutes=15)
    assert tick(schedule, clock) == 0
    change(schedule, cron=None, every=timedelta(minutes=20))
    assert stored(schedule).next_at == START + timedelta(minutes=20)


def test_another_payload_leaves_the_timetable_alone(made: Made, clock: Clock) -> None:
    schedule = made()
    clock.advance(MINUTE)
    change(schedule, payload={"new": True})
    assert tick(schedule, clock) == 1
    assert jobs()[0].payload == {"new": True}


def test_a_change_that_cannot_be_changes_nothing(made: Made) -> None:
    schedule = made()
    for wrong in ({"cron": "0 0 31 2 *"}, {"every": HOUR}, {"zone": "Mars"}, {"cron": None}):
        with pytest.raises(Invalid):
            change(schedule, **wrong)
    assert (stored(schedule).cron, stored(schedule).zone, stored(schedule).revision) == ("* * * * *", "UTC", 1)


def test_a_change_of_a_paused_schedule_does_not_wake_it(made: Made, clock: Clock) -> None:
    schedule = made()
    change(schedule, paused_at=clock.now())
    change(schedule, cron="0 * * * *")
    assert stored(schedule).next_at is None


def test_a_job_made_by_hand_is_beside_the_timetable(made: Made, clock: Clock) -> None:
    schedule = made()
    clock.advance(30)
    with transaction() as session:
        job = schedules.run_now(session, session.get_one(Schedule, schedule))
    assert job.payload == {"at": "2026-01-15T12:00:30Z"}
    assert (ticks(), stored(schedule).next_at) == ({}, START + MINUTE)


def test_names_are_taken_once_a_tenant(made: Made) -> None:
    made()
    made(tenant="other")
    with pytest.raises(ScheduleExists):
        made()
    with snapshot() as session:
        assert schedules.get(session, "other", "nightly").tenant == "other"
        assert [found.tenant for found in schedules.listed(session, "default")] == ["default"]
        with pytest.raises(ScheduleNotFound):
            schedules.get(session, "third", "nightly")


def test_a_schedule_that_is_gone_makes_nothing(made: Made, clock: Clock) -> None:
    schedule = made()
    clock.advance(MINUTE)
    tick(schedule, clock)
    with transaction() as session:
        session.delete(session.get_one(Schedule, schedule))
    clock.advance(MINUTE)
    assert tick(schedule, clock) == 0
    assert (ticks(), len(jobs())) == ({}, 1)


def test_daylight_saving_skips_and_doubles_nothing(made: Made, clock: Clock) -> None:
    clock.step(datetime.fromisoformat("2026-10-24T12:00:00+00:00") - clock.now())
    schedule = made(cron="30 2 * * *", zone="Europe/Berlin", catch_up=DAY)
    for _ in range(48):
        clock.advance(HOUR)
        tick(schedule, clock)
    assert [at.isoformat() for at in ticks()] == ["2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"]


def test_a_clock_set_back_makes_no_due_time_twice(made: Made, clock: Clock) -> None:
    schedule = made()
    clock.advance(10 * MINUTE)
    tick(schedule, clock)
    count = len(jobs())
    clock.step(-HOUR)
    for _ in range(60):
        clock.advance(MINUTE)
        tick(schedule, clock)
    assert len(jobs()) == count


def test_due_schedules_come_in_the_order_of_their_times(made: Made, clock: Clock, ledger: Engine) -> None:
    late = made(name="late", cron="5 * * * *")
    early = made(name="early", cron="3 * * * *")
    made(name="other", cron="50 * * * *")
    clock.advance(10 * MINUTE)
    with snapshot() as session:
        assert list(schedules.due(session, clock.now())) == [early, late]
