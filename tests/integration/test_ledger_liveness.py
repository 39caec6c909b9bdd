"""Which workers live, and what becomes of the jobs of those that do not."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from jobs import attempts, liveness, queries, store
from jobs.liveness import Watch
from jobs.model import Job, Worker
from jobs.policy import RetryPolicy
from jobs.states import Ending, Reason, State
from runtime.database import snapshot, transaction
from runtime.settings import settings
from scheduler import rescue
from tests import make
from tests.clock import Clock

pytestmark = pytest.mark.usefixtures("ledger")

LEASE = timedelta(seconds=15)
POISON = 3


@pytest.fixture
def worker() -> UUID:
    with transaction() as session:
        return make.worker(session)


def beat(worker: UUID) -> bool:
    with transaction() as session:
        return liveness.renew(session, worker)


def silent(watch: Watch) -> list[UUID]:
    with snapshot() as session:
        return watch.silent(liveness.live(session))


def bury(watch: Watch, worker: UUID) -> bool:
    with transaction() as session:
        return liveness.bury(session, worker, watch.seen[worker][0])


def running(worker: UUID, **changes: object) -> Job:
    with transaction() as session:
        return make.job(session, State.RUNNING, worker, **changes)


def rescue_all(*, guilty: bool = False) -> list[Job | None]:
    with snapshot() as session:
        orphans = liveness.orphans(session)
    with transaction() as session:
        return [liveness.rescue(session, job, poison=POISON, guilty=guilty) for job in orphans]


def dies(worker: UUID) -> None:
    with transaction() as session:
        liveness.retire(session, worker)


def watched(watch: Watch, clock: Clock, seconds: int) -> list[UUID]:
    """Look once a second for so long; who is silent at the end."""
    found: list[UUID] = []
    for _ in range(seconds):
        clock.advance(1)
        found = silent(watch)
    return found


def test_a_worker_that_beats_is_never_silent(worker: UUID, clock: Clock) -> None:
    watch = Watch(LEASE)
    for _ in range(20):
        assert silent(watch) == []
        clock.advance(14.9)
        assert beat(worker)


def test_a_worker_is_silent_after_a_lease_without_a_beat(worker: UUID, clock: Clock) -> None:
    watch = Watch(LEASE)
    beat(worker)
    assert silent(watch) == []
    assert watched(watch, clock, 14) == []
    assert watched(watch, clock, 1) == [worker]


def test_an_observer_that_could_not_look_counts_everyone_s_silence_anew(worker: UUID, clock: Clock) -> None:
    watch = Watch(LEASE)
    assert silent(watch) == []
    clock.advance(20)  # the database was away: nobody could renew, and nobody could look
    assert silent(watch) == [], "a living worker that has not renewed yet is not dead"
    assert watched(watch, clock, 14) == []
    assert watched(watch, clock, 1) == [worker]


def test_an_observer_that_was_away_gives_everyone_a_fresh_lease(worker: UUID, clock: Clock) -> None:
    clock.advance(3600)
    watch = Watch(LEASE)
    assert silent(watch) == []
    beat(worker)
    clock.advance(3600)  # the observer hung, and so saw nothing
    assert silent(watch) == []


@pytest.mark.parametrize("step", [timedelta(hours=1), -timedelta(hours=1), timedelta(days=9)])
def test_a_clock_that_is_set_kills_nobody_and_saves_nobody(step: timedelta, worker: UUID, clock: Clock) -> None:
    with transaction() as session:
        dead = make.worker(session, 2)
    watch = Watch(LEASE)
    for second in range(15):
        assert silent(watch) == []
        if second == 7:
            clock.step(step)
        clock.advance(1)
        beat(worker)
    assert silent(watch) == [dead]


def test_a_worker_whose_own_clock_is_wrong_is_judged_by_its_beats(worker: UUID, clock: Clock) -> None:
    watch = Watch(LEASE)
    silent(watch)
    clock.step(-timedelta(hours=1))
    beat(worker)
    clock.step(timedelta(hours=1))
    clock.advance(10)
    assert silent(watch) == []


def test_the_watch_forgets_who_is_gone(worker: UUID, clock: Clock) -> None:
    watch = Watch(LEASE)
    silent(watch)
    dies(worker)
    clock.advance(60)
    assert silent(watch) == []
    assert watch.seen == {}


def test_a_silent_worker_is_buried_once_and_may_not_go_on(worker: UUID, clock: Clock) -> None:
    watch = Watch(LEASE)
    silent(watch)
    assert watched(watch, clock, 15) == [worker]
    assert bury(watch, worker)
    assert not bury(watch, worker)
    assert not beat(worker)
    with snapshot() as session:
        assert liveness.live(session) == []


def test_a_beat_in_the_last_moment_saves_the_worker(worker: UUID, clock: Clock) -> None:
    watch = Watch(LEASE)
    silent(watch)
    assert watched(watch, clock, 15) == [worker]
    assert beat(worker)
    assert not bury(watch, worker)
    assert beat(worker)
    assert silent(watch) == []


def test_a_scheduler_that_had_to_wait_for_the_ledger_itself_buries_nobody_for_it(
    worker: UUID, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def late() -> Iterator[Session]:
        with transaction() as session:
            clock.advance(settings().heartbeat + timedelta(seconds=1))
            yield session

    watcher = rescue.Rescue()
    for _ in range(4):  # the last of these looks finds it silent for a lease
        watcher.look()
        monkeypatch.setattr(rescue, "transaction", late)
        clock.advance(settings().lease / 3)
    with snapshot() as session:
        assert [pulse.id for pulse in liveness.live(session)] == [worker]
    monkeypatch.setattr(rescue, "transaction", transaction)
    for _ in range(4):
        watcher.look()
        clock.advance(settings().lease / 3)
    with snapshot() as session:
        assert not liveness.live(session), "silent for a lease once more, it is dead"


@pytest.mark.parametrize("seed", range(3))
def test_of_a_beat_and_a_burial_at_the_same_moment_one_wins(seed: int, worker: UUID, clock: Clock) -> None:
    watch = Watch(LEASE)
    silent(watch)
    together = Barrier(2)

    def at_once(act: Callable[[], bool]) -> bool:
        together.wait(10)
        return act()

    acts = [lambda: beat(worker), lambda: bury(watch, worker)]
    Random(seed).shuffle(acts)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(at_once, acts))
    assert results.count(True) == 1
    with snapshot() as session:
        alive = [found.id for found in liveness.live(session)]
    assert beat(worker) == (alive == [worker])


def test_only_jobs_of_dead_workers_are_orphans(worker: UUID, clock: Clock) -> None:
    with transaction() as session:
        dead = make.worker(session, 2)
    running(worker)
    lost = running(dead)
    assert rescue_all() == []
    dies(dead)
    (rescued,) = rescue_all()
    assert rescued is not None
    assert (rescued.id, rescued.state, rescued.worker, rescued.run_at) == (lost.id, State.SCHEDULED, None, clock.now())
    assert rescue_all() == []
    with snapshot() as session:
        (attempt,) = queries.attempts(session, lost.id)
    assert attempt.outcome is Ending.LOST


def test_two_schedulers_rescue_a_job_once(worker: UUID) -> None:
    running(worker)
    dies(worker)
    with snapshot() as session:
        (orphan,) = liveness.orphans(session)

    def take_back(_: int) -> Job | None:
        with transaction() as session:
            return liveness.rescue(session, orphan, poison=POISON)

    with ThreadPoolExecutor(4) as pool:
        assert [job is not None for job in pool.map(take_back, range(8))].count(True) == 1


def test_a_worker_given_up_that_comes_back_can_settle_only_until_its_job_is_taken(worker: UUID, clock: Clock) -> None:
    early, late = running(worker), running(worker)
    dies(worker)
    with transaction() as session:
        assert attempts.settle(session, make.claim_of(early), make.SUCCESS, clock.now()) is not None
    assert len(rescue_all()) == 1
    with transaction() as session:
        assert attempts.settle(session, make.claim_of(late), make.SUCCESS, clock.now()) is None


def crash(job_id: UUID, clock: Clock, *, guilty: bool) -> Job:
    """One more worker dies under the job."""
    with transaction() as session:
        worker = make.worker(session)
        store.release(session, [job_id], clock.now())
        assert make.claim(session, job_id, worker, clock.now()) is not None
    dies(worker)
    (job,) = rescue_all(guilty=guilty)
    assert job is not None
    return job


def test_innocent_deaths_make_a_suspect_but_never_poison(clock: Clock) -> None:
    with transaction() as session:
        job = make.job(session)
    for crashes in (1, 2, 2, 2, 2):
        found = crash(job.id, clock, guilty=False)
        assert (found.state, found.crashes) == (State.SCHEDULED, crashes)
        assert liveness.is_suspect(found, POISON) == (crashes == 2)


def test_a_suspect_that_kills_its_own_process_is_poison(clock: Clock) -> None:
    with transaction() as session:
        job = make.job(session)
    for _ in range(2):
        crash(job.id, clock, guilty=False)
    dead = crash(job.id, clock, guilty=True)
    assert (dead.state, dead.reason, dead.crashes, dead.finished_at) == (State.FAILED, Reason.POISON, 3, clock.now())


def test_a_poisoned_job_that_is_retried_by_hand_is_presumed_innocent(clock: Clock) -> None:
    with transaction() as session:
        job = make.job(session)
    for _ in range(3):
        crash(job.id, clock, guilty=True)
    with transaction() as session:
        revived = store.revive(session, job.id, clock.now())
    assert revived is not None
    assert not liveness.is_suspect(revived, POISON)
    assert crash(job.id, clock, guilty=True).state is State.SCHEDULED


def test_a_careful_job_is_not_repeated_when_nobody_knows(worker: UUID) -> None:
    running(worker, retry=RetryPolicy(on_unknown="fail"))
    dies(worker)
    (job,) = rescue_all()
    assert job is not None
    assert (job.state, job.reason) == (State.FAILED, Reason.UNKNOWN_OUTCOME)


def test_a_job_past_its_total_deadline_is_not_started_again(worker: UUID, clock: Clock) -> None:
    running(worker, retry=RetryPolicy(deadline=timedelta(minutes=5)))
    clock.advance(301)
    dies(worker)
    (job,) = rescue_all()
    assert job is not None
    assert (job.state, job.reason) == (State.FAILED, Reason.EXHAUSTED)


def test_a_cancel_that_was_asked_for_is_honoured_when_the_worker_dies(worker: UUID, clock: Clock) -> None:
    job = running(worker)
    with transaction() as session:
        store.cancel(session, job.id, clock.now())
        assert [(held.claim, held.cancel_requested) for held in liveness.held(session, worker)] == [
            (make.claim_of(job), True)
        ]
        assert liveness.held(session, UUID(int=9)) == []
    dies(worker)
    (stopped,) = rescue_all()
    assert stopped is not None
    assert stopped.state is State.CANCELLED


def test_retiring_twice_keeps_the_first_time(worker: UUID, clock: Clock) -> None:
    dies(worker)
    first = clock.now()
    clock.advance(5)
    dies(worker)
    with snapshot() as session:
        assert session.get_one(Worker, worker).stopped_at == first


def test_more_orphans_than_a_batch_are_all_taken_back(worker: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "BATCH", 4)
    with transaction() as session:
        for _ in range(10):
            make.job(session, State.RUNNING, worker)
        session.execute(update(Worker).where(Worker.id == worker).values(stopped_at=Worker.started_at))
    assert [len(rescue_all()) for _ in range(4)] == [4, 4, 2, 0]
