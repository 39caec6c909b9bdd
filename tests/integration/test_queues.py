"""Queues: how they stand, their limits to the job, and purging; each on the whole backlog at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, select

from jobs import attempts, bulk_actions, flow, lanes, queues, why
from jobs.keys import Caller
from jobs.model import Deed, Job
from jobs.states import State
from jobs.submit import submit
from runtime.broker import Hint
from runtime.database import snapshot, transaction
from tests import make
from tests.clock import Clock
from tests.plans import scanned, watched

pytestmark = pytest.mark.usefixtures("ledger")

ME = Caller("me", "default", "admin")


def waiting(count: int, **changes: object) -> list[UUID]:
    with transaction() as session:
        return [make.job(session, **changes).id for _ in range(count)]


def limit(**changes: object) -> None:
    with transaction() as session:
        queues.limit(session, "default", ME, **changes)


def feed(clock: Clock) -> int:
    with transaction() as session:
        return flow.feed(session, "default", clock.now())


def run(job_id: UUID, clock: Clock) -> Job | None:
    with transaction() as session:
        return make.claim(session, job_id, make.worker(session), clock.now())


def state_of(job_id: UUID) -> State:
    with snapshot() as session:
        return session.get_one(Job, job_id).state


def test_no_more_jobs_run_at_once_than_the_queue_allows(clock: Clock, sent: list[Hint]) -> None:
    limit(max_running=3)
    waiting(10)
    assert (feed(clock), feed(clock)) == (3, 0)
    job = run(sent[0].job_id, clock)
    assert job is not None
    assert feed(clock) == 0
    with transaction() as session:
        attempts.settle(session, make.claim_of(job), make.SUCCESS, clock.now())
    assert (feed(clock), feed(clock)) == (1, 0)


def test_no_more_jobs_start_a_second_than_the_queue_allows(clock: Clock) -> None:
    limit(rate=4)
    waiting(40)
    assert feed(clock) == 4  # what a second allows
    went = 0
    for _ in range(40):
        clock.advance(0.1)
        went += feed(clock)
    assert went == 16
    clock.advance(60)
    assert feed(clock) == 4  # a rest is not saved up


def test_a_rate_below_one_a_second_is_kept(clock: Clock) -> None:
    limit(rate=0.1)
    waiting(5)
    went = []
    for second in range(41):
        went += [second] * feed(clock)
        clock.advance(1)
    assert went == [0, 10, 20, 30, 40]


def test_a_new_job_of_a_limited_queue_waits_for_the_feed(clock: Clock, sent: list[Hint]) -> None:
    limit(max_running=2)
    for _ in range(5):
        with transaction() as session:
            assert submit(session, make.order()).job.state is State.SCHEDULED
    assert feed(clock) == len(sent) == 2


def test_a_limit_takes_back_the_hints_that_are_out(clock: Clock, sent: list[Hint]) -> None:
    ids = waiting(10)
    assert feed(clock) == 10
    assert run(ids[0], clock) is not None
    limit(max_running=2)
    assert run(ids[1], clock) is None, "its hint is stale"
    assert feed(clock) == 1  # one runs already
    assert run(sent[-1].job_id, clock) is not None
    limit(max_running=None)
    assert feed(clock) == 8


def test_a_limit_outlives_restarts_and_is_changed_in_parts(clock: Clock) -> None:
    limit(max_running=2, rate=5.0)
    limit(rate=None)
    flow.window.__init__()
    with snapshot() as session:
        found = lanes.lane(session, "default")
    assert (found.max_running, found.rate) == (2, None)
    waiting(5)
    assert feed(clock) == 2


def test_many_schedulers_keep_a_limit_to_the_job(clock: Clock, sent: list[Hint]) -> None:
    limit(max_running=7, rate=5.0)
    waiting(60)
    with ThreadPoolExecutor(4) as pool:
        fed = list(pool.map(lambda _: feed(clock), range(12)))
    assert sum(fed) == len(sent) == 5


def test_why_names_the_limit_and_the_next_start(clock: Clock) -> None:
    limit(max_running=4, rate=0.5)
    ids = waiting(2)
    assert feed(clock) == 1
    with snapshot() as session:
        causes = {cause.kind: cause for cause in why.of(session, "default", ids[1])}
    assert "4 at once, and 1 run" in causes["limited"].detail
    assert "0.5 a second" in causes["limited"].detail
    assert causes["limited"].until == clock.now() + timedelta(seconds=2)


def test_how_a_queue_stands(clock: Clock) -> None:
    with transaction() as session:
        for state in (State.SUCCEEDED, State.SUCCEEDED, State.FAILED, State.RUNNING):
            make.job(session, state, queue="default")
        make.job(session, State.SUCCEEDED, queue="cpu")
    with snapshot() as session:
        default, cpu = lanes.lanes(session)
        workers = session.scalars(sa.text("SELECT count(*) FROM workers")).one()
    assert (default.finished, cpu.finished) == (3, 1)
    assert (default.running, default.workers, default.slots) == (1, workers, 4 * workers)
    clock.advance(60)
    with snapshot() as session:
        assert lanes.lane(session, "default").finished == 0


def test_the_throughput_of_a_fast_queue_is_told_from_its_last_jobs(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "SAMPLE", 10)
    for _ in range(20):  # one a second
        with transaction() as session:
            make.job(session, State.SUCCEEDED)
        clock.advance(1)
    with snapshot() as session:
        assert lanes.lane(session, "default").finished == pytest.approx(60)


def test_a_look_at_the_queues_reads_no_table_from_end_to_end(ledger: Engine) -> None:
    waiting(3)
    with watched(ledger) as statements, snapshot() as session:
        lanes.lanes(session)
    assert not set().union(*(scanned(ledger, each) for each in statements)) & {"jobs", "attempts"}


def act(action_id: UUID, clock: Clock) -> None:
    going = True
    while going:
        with transaction() as session:
            going = bulk_actions.step(session, action_id, clock.now())


def test_a_purge_cancels_what_waits_and_leaves_the_rest_alone(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_actions, "BATCH", 3)
    due, later = waiting(7), waiting(2, run_at=clock.now() + timedelta(hours=1))
    with transaction() as session:
        hinted, running = make.job(session, State.QUEUED).id, make.job(session, State.RUNNING).id
        done, other = make.job(session, State.SUCCEEDED).id, make.job(session, queue="cpu").id
        theirs = make.job(session, tenant="them").id
        assert bulk_actions.waiting(session, "default", "default").count == 10
        action = queues.purge(session, "default", ME)
    newer = waiting(1)
    act(action.id, clock)
    assert {state_of(job_id) for job_id in (*due, *later, hinted)} == {State.CANCELLED}
    assert [state_of(job_id) for job_id in (running, done, other, theirs, *newer)] == [
        State.RUNNING, State.SUCCEEDED, State.SCHEDULED, State.SCHEDULED, State.SCHEDULED,
    ]  # fmt: skip
    with snapshot() as session:
        found = bulk_actions.get(session, "default", action.id)
        assert (found.state, found.expected, found.done, found.skipped) == ("finished", 10, 10, 0)
        assert not session.get_one(Job, running).cancel_requested


def test_what_is_done_to_a_queue_is_in_the_audit_log() -> None:
    with transaction() as session:
        queues.pause(session, "default", ME)
        queues.resume(session, "default", ME)
        queues.limit(session, "default", ME, rate=2.0)
        queues.purge(session, "default", ME)
    with snapshot() as session:
        deeds = session.scalars(select(Deed).where(Deed.about == "default").order_by(Deed.id)).all()
    assert [deed.what for deed in deeds] == ["queue.pause", "queue.resume", "queue.limit", "queue.purge"]
    assert {deed.who for deed in deeds} == {"me"}
    assert deeds[2].detail == {"rate": 2.0}
