"""The database itself refuses rows that cannot be; and old ones are forgotten with all that belongs to them."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError

from jobs import attempts, queries, retention, schedules, store
from jobs.model import ApiKey, Attempt, IdempotencyKey, Job, LogLine, Schedule, Tick, Worker
from jobs.outcome import Succeeded
from jobs.states import Ending, Reason, State
from jobs.submit import Key, submit
from runtime.database import snapshot, transaction
from tests import make
from tests.clock import Clock

pytestmark = pytest.mark.usefixtures("ledger")

Configure = Callable[..., None]
NOW = sa.text("(SELECT created_at FROM jobs LIMIT 1)")
SOMEBODY = UUID(int=7)


def _named(value: object) -> str:
    """The same name in every process that collects the tests."""
    return ", ".join(f"{name}={part}" for name, part in value.items()) if isinstance(value, dict) else str(value)


def refused(statement: sa.Executable) -> None:
    with pytest.raises((IntegrityError, DataError)), transaction() as session:
        session.execute(statement)


@pytest.mark.parametrize(
    ("state", "nonsense"),
    [
        (State.SCHEDULED, {"state": State.RUNNING}),
        (State.SCHEDULED, {"state": State.QUEUED}),
        (State.SCHEDULED, {"state": State.SUCCEEDED}),
        (State.SCHEDULED, {"state": State.CANCELLED}),
        (State.SCHEDULED, {"worker": SOMEBODY}),
        (State.SCHEDULED, {"reason": Reason.POISON}),
        (State.SCHEDULED, {"finished_at": NOW}),
        (State.SCHEDULED, {"attempt": 1}),
        (State.SCHEDULED, {"attempt": -1}),
        (State.SCHEDULED, {"budget_from": 1}),
        (State.SCHEDULED, {"priority": 4}),
        (State.SCHEDULED, {"priority": -1}),
        (State.SCHEDULED, {"task": None}),
        (State.SCHEDULED, {"run_at": None}),
        (State.SCHEDULED, {"tenant": None}),
        (State.QUEUED, {"hinted_at": None}),
        (State.RUNNING, {"worker": None}),
        (State.RUNNING, {"state": State.SCHEDULED}),
        (State.RUNNING, {"state": State.FAILED, "worker": None, "finished_at": NOW}),
        (State.RUNNING, {"epoch": 0}),
        (State.SUCCEEDED, {"finished_at": None}),
        (State.SUCCEEDED, {"reason": Reason.REJECTED}),
        (State.SUCCEEDED, {"state": State.SCHEDULED}),
        (State.FAILED, {"reason": None}),
        (State.FAILED, {"state": State.SUCCEEDED}),
    ],
    ids=_named,
)
def test_a_job_that_cannot_be_is_refused(state: State, nonsense: dict[str, object]) -> None:
    with transaction() as session:
        job = make.job(session, state)
    refused(sa.update(Job).where(Job.id == job.id).values(**nonsense))


@pytest.mark.parametrize(
    "statement",
    ["UPDATE jobs SET state = 'lost'", "UPDATE jobs SET reason = 'bored'", "UPDATE attempts SET outcome = 'meh'"],
)
def test_words_that_are_none_of_ours_are_refused(statement: str) -> None:
    with transaction() as session:
        make.job(session, State.FAILED)
    refused(sa.text(statement))


@pytest.mark.parametrize(
    "nonsense", [{"outcome": None}, {"finished_at": None}, {"epoch": None}, {"job_id": SOMEBODY}], ids=_named
)
def test_an_attempt_that_cannot_be_is_refused(nonsense: dict[str, object]) -> None:
    with transaction() as session:
        job = make.job(session, State.SUCCEEDED)
    refused(sa.update(Attempt).where(Attempt.job_id == job.id).values(**nonsense))


def test_an_epoch_is_recorded_once(clock: Clock) -> None:
    with transaction() as session:
        job = make.job(session, State.RUNNING)
    twin = {"job_id": job.id, "epoch": 1, "number": 1, "worker": job.worker, "started_at": clock.now()}
    refused(sa.insert(Attempt).values(twin))


@pytest.mark.parametrize(
    "nonsense",
    [{"cron": None}, {"every": timedelta(hours=1)}, {"next_at": None}, {"paused_at": sa.text("created_at")}],
    ids=_named,
)
def test_a_schedule_that_cannot_be_is_refused(nonsense: dict[str, object]) -> None:
    with transaction() as session:
        make.schedule(session)
    refused(sa.update(Schedule).values(**nonsense))


def test_a_schedules_name_is_its_own_within_a_tenant() -> None:
    with transaction() as session:
        make.schedule(session)
        other = make.schedule(session, tenant="other")
    refused(sa.update(Schedule).where(Schedule.id == other.id).values(tenant="default"))


def test_a_key_with_an_unknown_scope_is_refused(clock: Clock) -> None:
    key = {"id": "x", "tenant": "t", "name": "n", "scope": "god", "digest": "d", "created_at": clock.now()}
    refused(sa.insert(ApiKey).values(key))


@pytest.fixture
def kept_for(configure: Configure) -> None:
    configure(retention_succeeded="1d", retention_failed="10d", idempotency_window="1h")


def prune(clock: Clock) -> int:
    with transaction() as session:
        return retention.prune(session, clock.now())


def count(table: type) -> int:
    with snapshot() as session:
        return session.scalars(sa.select(sa.func.count()).select_from(table)).one()


@pytest.mark.usefixtures("kept_for")
def test_final_jobs_are_forgotten_each_after_its_time_and_open_ones_never(clock: Clock) -> None:
    soon = clock.now() + timedelta(seconds=1)
    with transaction() as session:
        jobs = {
            state: make.job(session, state, **({"expires_at": soon} if state is State.EXPIRED else {})) for state in State
        }
        session.add(LogLine(job_id=jobs[State.SUCCEEDED].id, epoch=1, at=clock.now(), level="info", message="x"))
    clock.advance(timedelta(days=1))
    assert prune(clock) == 0
    clock.advance(2)
    assert prune(clock) == 1
    with snapshot() as session:
        assert store.find(session, jobs[State.SUCCEEDED].id) is None
        assert queries.attempts(session, jobs[State.SUCCEEDED].id) == []
        assert queries.log_lines(session, jobs[State.SUCCEEDED].id) == []
    clock.advance(timedelta(days=10))
    assert prune(clock) == 3
    clock.advance(timedelta(days=1000))
    assert prune(clock) == 0
    with snapshot() as session:
        assert set(session.scalars(sa.select(Job.state))) == {State.SCHEDULED, State.QUEUED, State.RUNNING}
    assert count(Attempt) == 1


@pytest.mark.usefixtures("kept_for")
def test_a_batch_is_no_larger_than_it_says(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)
    with transaction() as session:
        for state in (State.SUCCEEDED, State.FAILED, State.CANCELLED):
            for _ in range(3):
                make.job(session, state)
    clock.advance(timedelta(days=30))
    assert [prune(clock) for _ in range(4)] == [4, 4, 1, 0]


@pytest.mark.usefixtures("kept_for")
def test_small_rows_go_when_they_are_of_no_use(clock: Clock) -> None:
    with transaction() as session:
        submit(session, make.order(), Key("key", "d"))
        schedule = make.schedule(session)
        holder, idle, alive = (make.worker(session, number) for number in range(3))
        make.job(session, State.RUNNING, holder)
    clock.advance(60)
    with transaction() as session:
        assert schedules.tick(session, schedule.id, clock.now()) == 1
        session.execute(sa.update(Worker).where(Worker.id != alive).values(stopped_at=clock.now()))
    prune(clock)
    assert (count(IdempotencyKey), count(Tick), count(Worker)) == (1, 1, 3)
    clock.advance(timedelta(days=11))
    prune(clock)
    assert (count(IdempotencyKey), count(Tick)) == (0, 0)
    with snapshot() as session:
        assert set(session.scalars(sa.select(Worker.id))) == {holder, alive}
        assert idle not in {holder, alive}


def test_instants_and_spans_are_kept_exactly(clock: Clock) -> None:
    run_at = clock.now() + timedelta(days=9999, microseconds=1)
    with transaction() as session:
        job = make.job(session, run_at=run_at, timeout=timedelta(milliseconds=1))
    with snapshot() as session:
        found = store.find(session, job.id)
    assert found is not None
    assert (found.run_at, found.timeout) == (run_at, timedelta(milliseconds=1))
    assert found.run_at.utcoffset() == timedelta(0)


def test_an_attempts_row_tells_its_story(clock: Clock) -> None:
    with transaction() as session:
        job = make.job(session, State.RUNNING, UUID(int=3))
    clock.advance(2)
    with transaction() as session:
        attempts.settle(session, make.claim_of(job), Succeeded(), clock.now())
    with snapshot() as session:
        (attempt,) = queries.attempts(session, job.id)
    assert (attempt.number, attempt.epoch, attempt.worker, attempt.outcome) == (1, 1, UUID(int=3), Ending.SUCCEEDED)
    assert attempt.finished_at is not None
    assert attempt.finished_at - attempt.started_at == timedelta(seconds=2)
