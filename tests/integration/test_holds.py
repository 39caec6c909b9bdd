"""Held accounts in the ledger: their jobs are put aside once, and go as the hold allows; nobody else waits for them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, event, select

from jobs import attempts, flow, holds, store
from jobs.model import Cause, Hold, Job
from jobs.outcome import Snoozed
from jobs.states import State
from jobs.submit import submit
from runtime.broker import Hint
from runtime.database import snapshot, transaction
from scheduler import dispatch
from tests import make
from tests.clock import Clock

pytestmark = pytest.mark.usefixtures("ledger")

Configure = Callable[..., None]
FIRST, MOST = timedelta(seconds=30), timedelta(minutes=10)
WHY = "stripe-eu fails: 503"


def open_circuit(account: str = "stripe-eu", rate: float | None = None) -> bool:
    with transaction() as session:
        return holds.open_circuit(session, account, WHY, rate, FIRST, MOST)


def wait(span: float | None, account: str = "stripe-eu") -> None:
    with transaction() as session:
        holds.wait(session, account, "told to wait", None, None if span is None else timedelta(seconds=span))


def pace(rate: float, account: str = "stripe-eu") -> None:
    with transaction() as session:
        holds.pace(session, account, "too many", rate)


def fail_probe() -> None:
    with transaction() as session:
        holds.fail_probe(session, "stripe-eu", "fails still", FIRST, MOST)


def lift() -> None:
    with transaction() as session:
        holds.lift(session, "stripe-eu")


def feed(clock: Clock, queue: str = "default") -> int:
    with transaction() as session:
        return flow.feed(session, queue, clock.now())


def jobs(count: int, account: str | None = "stripe-eu", **changes: object) -> list[UUID]:
    with transaction() as session:
        return [make.job(session, account=account, **changes).id for _ in range(count)]


def found(job_id: UUID) -> Job:
    with snapshot() as session:
        job = store.find(session, job_id)
    assert job is not None
    return job


def parked() -> int:
    with snapshot() as session:
        return session.scalars(select(sa.func.count()).where(Job.parked_at.is_not(None))).one()


def hold_of(account: str = "stripe-eu") -> Hold:
    return holds.read()[account]


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_the_jobs_of_a_held_account_are_parked_with_a_reason_and_others_pass_them(clock: Clock, sent: list[Hint]) -> None:
    theirs = jobs(3)
    (other,) = jobs(1, account="square")
    (free,) = jobs(1, account=None)
    open_circuit()
    assert feed(clock) == 2
    assert [hint.job_id for hint in sent] == [other, free]
    job = found(theirs[0])
    assert (job.state, job.parked_at, job.waits_for) == (State.SCHEDULED, clock.now(), WHY)
    assert job.run_at == job.created_at, "it keeps its place"


def test_a_backlog_of_a_held_account_larger_than_the_window_hides_no_other_job(
    clock: Clock, sent: list[Hint], configure: Configure
) -> None:
    configure(hint_window=5)
    jobs(40)
    (other,) = jobs(1, account=None)
    open_circuit()
    assert feed(clock) == 1
    assert [hint.job_id for hint in sent] == [other]
    assert parked() == 40


def test_parked_jobs_are_not_met_again(clock: Clock, ledger: Engine) -> None:
    jobs(20)
    open_circuit()
    feed(clock)
    with statements(ledger) as seen:
        assert feed(clock) == 0
    assert not [statement for statement in seen if statement.startswith("UPDATE jobs")]
    assert flow.first_due() is None


def test_a_hold_takes_back_what_is_in_the_queue(clock: Clock, sent: list[Hint]) -> None:
    theirs, others = jobs(2), jobs(1, account="square")
    feed(clock)
    open_circuit()
    assert [found(job_id).state for job_id in (*theirs, *others)] == [State.SCHEDULED, State.SCHEDULED, State.QUEUED]
    with transaction() as session:
        assert make.claim(session, theirs[0], UUID(int=1), clock.now()) is None, "its hint is stale"


def test_one_job_goes_as_the_probe_and_another_only_when_it_says_nothing(clock: Clock, sent: list[Hint]) -> None:
    theirs = jobs(3)
    open_circuit()
    feed(clock)
    clock.advance(29)
    assert feed(clock) == 0
    clock.advance(1)
    assert (feed(clock), feed(clock)) == (1, 0)
    assert [hint.job_id for hint in sent] == theirs[:1]
    assert hold_of().probe == theirs[0]
    clock.advance(holds.ANSWER)
    assert (feed(clock), feed(clock)) == (1, 0)
    assert hold_of().probe == theirs[1]


def test_a_circuit_stays_open_twice_as_long_each_time_up_to_the_most(clock: Clock) -> None:
    assert open_circuit()
    assert not open_circuit(), "it is open already"
    spans = []
    for _ in range(7):
        spans.append((hold_of().until - clock.now()).total_seconds())
        clock.advance(spans[-1])
        fail_probe()
    assert spans == [30, 60, 120, 240, 480, 600, 600]


def test_an_account_that_was_well_for_a_while_is_held_as_shortly_as_at_first(clock: Clock) -> None:
    open_circuit()
    lift()
    clock.advance(50)
    open_circuit()
    assert hold_of().until - clock.now() == timedelta(seconds=60)
    lift()
    clock.advance(61)
    open_circuit()
    assert hold_of().until - clock.now() == FIRST


def test_a_probe_that_succeeds_lets_the_others_go_at_a_rising_rate(clock: Clock) -> None:
    jobs(300)
    open_circuit()
    feed(clock)
    lift()
    gone = []
    for _ in range(80):
        gone.append(feed(clock))
        clock.advance(0.25)
    assert sum(gone) == 300
    seconds = [sum(gone[at : at + 4]) for at in range(0, 24, 4)]
    assert seconds[0] <= 4
    assert seconds == sorted(seconds), "the rate rises"
    assert parked() == 0


def test_the_ramp_ends_at_the_account_s_rate(clock: Clock) -> None:
    jobs(400)
    open_circuit(rate=10)
    feed(clock)
    lift()
    gone = []
    for _ in range(200):
        gone.append(feed(clock))
        clock.advance(0.25)
    assert max(sum(gone[at : at + 4]) for at in range(196)) <= 11


def test_a_rate_that_is_exceeded_lets_jobs_go_evenly_and_in_their_order(clock: Clock, sent: list[Hint]) -> None:
    theirs = jobs(100)
    pace(rate=20)
    for _ in range(40):
        feed(clock)
        clock.advance(0.1)
    assert len(sent) == 1 + int(3.9 * 20 * 0.94)
    assert [hint.job_id for hint in sent] == theirs[: len(sent)]


def test_a_late_feed_does_not_make_up_for_more_than_a_moment(clock: Clock) -> None:
    jobs(200)
    pace(rate=20)
    feed(clock)
    clock.advance(60)
    assert feed(clock) <= 20


def test_a_slow_account_gets_its_turn_however_seldom_it_is(clock: Clock) -> None:
    jobs(3)
    pace(rate=0.1)
    gone = 0
    for _ in range(100):
        gone += feed(clock)
        clock.advance(0.25)
    assert gone == 3


def test_what_the_provider_asks_holds_the_account_and_the_longest_wait_counts(clock: Clock) -> None:
    jobs(2)
    wait(20)
    wait(5)
    clock.advance(19)
    assert feed(clock) == 0
    clock.advance(1)
    assert feed(clock) == 1


def test_a_provider_that_does_not_say_how_long_is_waited_for_longer_each_time(clock: Clock) -> None:
    spans = []
    for _ in range(8):
        wait(None)
        wait(None)  # calls that were under way hear the same
        spans.append((hold_of().until - clock.now()).total_seconds())
        clock.advance(spans[-1])
    assert spans == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_job_submitted_to_a_held_account_is_parked_at_once_and_others_keep_the_short_way(clock: Clock) -> None:
    with transaction() as session:
        assert submit(session, make.order(account="stripe-eu")).job.state is State.QUEUED
    open_circuit()
    clock.advance(holds.Memory.KEEP)
    with transaction() as session:
        theirs = submit(session, make.order(account="stripe-eu")).job
        assert (theirs.state, theirs.parked_at, theirs.waits_for) == (State.SCHEDULED, clock.now(), WHY)
        assert submit(session, make.order(account="square")).job.state is State.QUEUED


def snooze(job_id: UUID, clock: Clock) -> None:
    with transaction() as session:
        running = make.claim(session, job_id, make.worker(session), clock.now())
        assert running is not None
        verdict = Snoozed(timedelta(seconds=9), WHY, account="stripe-eu")
        attempts.settle(session, make.claim_of(running), verdict, clock.now())


def test_a_job_that_is_snoozed_with_its_account_keeps_its_place_and_spends_no_attempt(clock: Clock) -> None:
    (its,) = jobs(1)
    (unknown,) = jobs(1, account=None)  # made by an event or a schedule
    feed(clock)
    clock.advance(1)
    for job_id in (its, unknown):
        snooze(job_id, clock)
        job = found(job_id)
        assert (job.account, job.run_at, job.attempt) == ("stripe-eu", job.created_at, 0)


def test_a_job_of_another_account_that_is_snoozed_with_this_one_comes_back_later(clock: Clock) -> None:
    (fallback,) = jobs(1, account="square")
    feed(clock)
    snooze(fallback, clock)
    assert (found(fallback).account, found(fallback).run_at) == ("square", clock.now() + timedelta(seconds=9))


def test_important_jobs_of_a_held_account_go_first(clock: Clock, sent: list[Hint]) -> None:
    jobs(3)
    (urgent,) = jobs(1, priority=3)
    open_circuit()
    feed(clock)
    clock.advance(30)
    feed(clock)
    assert [hint.job_id for hint in sent] == [urgent]


def test_a_parked_job_can_be_cancelled_and_no_longer_counts(clock: Clock) -> None:
    (job_id,) = jobs(1)
    open_circuit()
    feed(clock)
    with transaction() as session:
        store.cancel(session, job_id, clock.now())
    assert (found(job_id).state, found(job_id).parked_at) == (State.CANCELLED, None)


def test_a_queue_s_own_jobs_alone_are_taken_and_the_account_s_rate_counts_over_all(clock: Clock, sent: list[Hint]) -> None:
    jobs(20)
    jobs(20, queue="cpu")
    pace(rate=10)
    for _ in range(41):
        feed(clock)
        feed(clock, "cpu")
        clock.advance(0.1)
    assert len(sent) <= 1 + 4.1 * 10


def test_a_hold_is_forgotten_when_it_is_over_and_no_job_waits(clock: Clock) -> None:
    jobs(1)
    wait(5)
    feed(clock)
    clock.advance(6 + holds.CALM.total_seconds())
    forget(clock)
    assert "stripe-eu" in holds.read(), "a job waits for it"
    feed(clock)
    forget(clock)
    assert holds.read() == {}


def test_an_open_circuit_waits_for_its_probe_before_it_is_forgotten(clock: Clock) -> None:
    open_circuit()
    clock.advance(60)
    forget(clock)
    assert hold_of().cause is Cause.CIRCUIT
    clock.advance(holds.UNPROBED)
    forget(clock)
    assert holds.read() == {}


def test_a_job_that_was_parked_as_its_hold_was_forgotten_is_let_go(clock: Clock) -> None:
    wait(1)
    clock.advance(60)
    assert holds.is_held("stripe-eu")  # and so it stays in this process's memory for a moment
    look = dispatch.Forget()
    look.look()
    with transaction() as session:
        late = submit(session, make.order(account="stripe-eu")).job
    assert (feed(clock), parked()) == (0, 1)
    look.look()
    assert feed(clock) == 1
    assert found(late.id).state is State.QUEUED


@pytest.mark.parametrize(("failing", "stored"), [(1, True), (2, True), (2, False)])
def test_a_commit_that_fails_or_is_in_doubt_leaves_no_job_parked(
    clock: Clock, ledger: sa.Engine, failing: int, stored: bool
) -> None:
    def fail(connection: sa.Connection) -> None:
        if stored:
            connection.connection.commit()
        raise sa.exc.OperationalError("COMMIT", {}, Exception("no answer"))

    def look(number: int) -> None:
        if number == failing:
            sa.event.listen(ledger, "commit", fail)
            with pytest.raises(sa.exc.OperationalError):
                its.look()
            sa.event.remove(ledger, "commit", fail)
        else:
            its.look()

    its = dispatch.Forget()
    wait(1)
    clock.advance(60)
    assert holds.is_held("stripe-eu")
    look(1)
    with transaction() as session:
        submit(session, make.order(account="stripe-eu"))
    assert (feed(clock), parked()) == (0, 1)
    look(2)
    look(3)
    assert feed(clock) == 1


def test_no_job_stays_parked_when_the_scheduler_that_forgot_its_hold_is_gone(clock: Clock) -> None:
    (job_id,) = jobs(1)
    open_circuit()
    feed(clock)
    with transaction() as session:
        session.execute(sa.delete(Hold))
    dispatch.Forget.free_all()
    assert feed(clock) == 1
    assert found(job_id).state is State.QUEUED


def forget(clock: Clock) -> None:
    with transaction() as session:
        holds.forget(session, clock.now())
