"""From the ledger to the queues: what goes next, how much at once, and nothing overtaken."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import Engine, select

from jobs import flow, lanes, queues, store
from jobs.model import Job
from jobs.states import State
from jobs.submit import submit
from runtime.broker import Hint
from runtime.database import snapshot, transaction
from scheduler import dispatch
from scheduler.rounds import APART
from tests import make
from tests.clock import Clock

pytestmark = pytest.mark.usefixtures("ledger")

Configure = Callable[..., None]


def feed(clock: Clock, queue: str = "default") -> int:
    with transaction() as session:
        return flow.feed(session, queue, clock.now())


def state_of(job: Job) -> State:
    with snapshot() as session:
        found = store.find(session, job.id)
    assert found is not None
    return found.state


def take(hint: Hint, clock: Clock) -> Job | None:
    with transaction() as session:
        return make.claim(session, hint.job_id, UUID(int=1), clock.now())


def test_important_jobs_go_first_and_equal_ones_by_the_time_they_were_due(clock: Clock, sent: list[Hint]) -> None:
    places = [(priority, age) for priority in range(4) for age in (5, 60, 30, 1)]
    Random(7).shuffle(places)
    with transaction() as session:
        ids = {make.job(session, priority=p, run_at=clock.now() - timedelta(seconds=age)).id: (p, age) for p, age in places}
    assert feed(clock) == 16
    assert [ids[hint.job_id] for hint in sent] == sorted(places, key=lambda place: (-place[0], -place[1]))


def test_jobs_due_at_the_same_instant_go_in_the_order_of_acceptance(clock: Clock, sent: list[Hint]) -> None:
    with transaction() as session:
        ids = [make.job(session).id for _ in range(30)]
    feed(clock)
    assert [hint.job_id for hint in sent] == ids


def test_what_is_not_yet_due_stays(clock: Clock, sent: list[Hint]) -> None:
    with transaction() as session:
        job = make.job(session, run_at=clock.now() + timedelta(seconds=1))
    assert feed(clock) == 0
    clock.advance(1)
    assert feed(clock) == 1
    assert sent == [Hint(job.id, "test.echo", "default", 1)]


def test_no_more_hints_are_out_than_the_window_allows(clock: Clock, sent: list[Hint], configure: Configure) -> None:
    configure(hint_window=5)
    with transaction() as session:
        for _ in range(12):
            make.job(session)
        other = make.job(session, queue="cpu")
    assert (feed(clock), feed(clock)) == (5, 0)
    assert take(sent[0], clock) is not None
    assert feed(clock) == 1
    assert feed(clock, "cpu") == 1
    assert sent[-1].job_id == other.id


def test_many_schedulers_feeding_at_once_send_each_job_once(
    clock: Clock, sent: list[Hint], configure: Configure, ledger: Engine
) -> None:
    configure(hint_window=20)
    with transaction() as session:
        for _ in range(100):
            make.job(session)
    with ThreadPoolExecutor(4) as pool:
        fed = list(pool.map(lambda _: feed(clock), range(16)))
    assert sum(fed) == len(sent) == len({hint.job_id for hint in sent})
    # those who count at the same moment may each fill the window once; on SQLite they take turns
    assert 20 <= sum(fed) <= (20 if ledger.dialect.name == "sqlite" else 80)


def test_a_new_job_goes_straight_to_a_queue_with_room(clock: Clock, sent: list[Hint]) -> None:
    with transaction() as session:
        job = submit(session, make.order(priority=3)).job
        assert sent == []
    assert (state_of(job), sent) == (State.QUEUED, [Hint(job.id, "test.echo", "default", 3)])


def test_a_new_job_never_overtakes_the_backlog_of_its_priority(clock: Clock, sent: list[Hint]) -> None:
    with transaction() as session:
        waiting = make.job(session)
    with transaction() as session:
        newer = submit(session, make.order()).job
    assert (state_of(newer), sent) == (State.SCHEDULED, [])
    feed(clock)
    clock.advance(flow.Window.KEEP)
    assert [hint.job_id for hint in sent] == [waiting.id, newer.id]
    with transaction() as session:
        assert submit(session, make.order()).job.state is State.QUEUED


def test_new_jobs_beyond_the_window_wait_in_the_ledger(clock: Clock, sent: list[Hint], configure: Configure) -> None:
    configure(hint_window=3)
    for _ in range(5):
        with transaction() as session:
            submit(session, make.order())
    assert len(sent) == 3
    clock.advance(flow.Window.KEEP)
    with transaction() as session:
        assert submit(session, make.order()).job.state is State.SCHEDULED


def test_a_delayed_job_waits_in_the_ledger(clock: Clock, sent: list[Hint]) -> None:
    with transaction() as session:
        job = submit(session, make.order(run_at=clock.now() + timedelta(days=400))).job
    assert (job.state, sent) == (State.SCHEDULED, [])
    clock.advance(timedelta(days=400))
    assert feed(clock) == 1


def test_the_scheduler_rests_until_the_next_job_is_due(clock: Clock, sent: list[Hint]) -> None:
    its = dispatch.Feed()
    assert its.go() is None, "there is none"
    with transaction() as session:
        make.job(session, run_at=clock.now() + timedelta(seconds=30))
        make.job(session, run_at=clock.now() + timedelta(seconds=0.1))
        queues.pause(session, "cpu")
        make.job(session, queue="cpu", run_at=clock.now() - timedelta(seconds=9))
    assert its.go() == pytest.approx(0.1), "one that waits for something else does not count"
    clock.advance(0.1)
    assert (its.go(), len(sent)) == (pytest.approx(29.9), 1)
    clock.advance(29.9 - APART / 2)
    assert (its.go(), len(sent)) == (APART, 1), "so that those that are due together go together"
    clock.advance(APART)
    assert (its.go(), len(sent)) == (None, 2)


def test_a_paused_queue_is_not_fed_and_takes_no_new_job(clock: Clock, sent: list[Hint]) -> None:
    with transaction() as session:
        make.job(session)
        queues.pause(session, "default")
    assert feed(clock) == 0
    with transaction() as session:
        assert submit(session, make.order()).job.state is State.SCHEDULED
    with transaction() as session:
        queues.resume(session, "default")
    assert feed(clock) == 2
    assert len(sent) == 2


def test_hints_that_nobody_took_are_found_and_sent_again(clock: Clock, sent: list[Hint]) -> None:
    with transaction() as session:
        old, taken = make.job(session), make.job(session)
    feed(clock)
    take(sent[1], clock)
    clock.advance(10)
    with transaction() as session:
        make.job(session)
    feed(clock)
    with transaction() as session:
        lost = flow.unclaimed(session, "default", clock.now() - timedelta(seconds=5))
        assert list(lost) == [old.id]
        flow.offer(session, store.reoffer(session, [*lost, taken.id], clock.now()))
    assert [hint.job_id for hint in sent[3:]] == [old.id]
    with snapshot() as session:
        assert flow.unclaimed(session, "default", clock.now() - timedelta(seconds=5)) == []


def test_a_hint_that_comes_twice_or_late_takes_nothing(clock: Clock, sent: list[Hint]) -> None:
    with transaction() as session:
        make.job(session)
    feed(clock)
    assert take(sent[0], clock) is not None
    assert take(sent[0], clock) is None
    assert take(Hint(UUID(int=5), "test.echo", "default", 1), clock) is None


def test_how_long_the_oldest_job_has_waited(clock: Clock) -> None:
    with snapshot() as session:
        assert flow.oldest_ready(session, "default", clock.now()) is None
    with transaction() as session:
        make.job(session, run_at=clock.now() + timedelta(seconds=50))
        make.job(session, priority=3, run_at=clock.now() - timedelta(seconds=3))
        make.job(session, priority=0, run_at=clock.now() - timedelta(seconds=7))
        make.job(session, State.QUEUED)
    with snapshot() as session:
        assert flow.oldest_ready(session, "default", clock.now()) == clock.now() - timedelta(seconds=7)


def test_the_lanes(clock: Clock) -> None:
    with transaction() as session:
        for state in (State.SCHEDULED, State.SCHEDULED, State.QUEUED, State.RUNNING, State.SUCCEEDED, State.FAILED):
            make.job(session, state)
        make.job(session, State.QUEUED, queue="gone")
        queues.pause(session, "cpu")
    clock.advance(4)
    with snapshot() as session:
        default, cpu, gone = lanes.lanes(session)
    assert (default.name, default.scheduled, default.queued, default.running) == ("default", 2, 1, 1)
    assert default.oldest_ready == timedelta(seconds=4)
    assert (cpu.name, cpu.paused_at, cpu.oldest_ready) == ("cpu", clock.now() - timedelta(seconds=4), None)
    assert (gone.name, gone.queued) == ("gone", 1)


def test_a_queue_may_be_paused_by_many_at_once_and_keeps_its_first_time(clock: Clock) -> None:
    together = Barrier(8)

    def pause(_: int) -> None:
        with transaction() as session:
            session.execute(select(1))  # connected
            if session.get_bind().dialect.name == "postgresql":  # on SQLite a transaction waits for the one before it
                together.wait(10)
            queues.pause(session, "default")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(pause, range(8)))
    first = clock.now()
    clock.advance(9)
    with transaction() as session:
        queues.pause(session, "default")
    with snapshot() as session:
        assert lanes.lanes(session)[0].paused_at == first
