"""Every move from every state, on both databases: what may happen happens, and nothing else does."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobs import attempts, queries, queues, store
from jobs.claims import Claim
from jobs.model import Job
from jobs.outcome import Failed, Snoozed, Stopped, Succeeded, TryAgain, Verdict
from jobs.states import (
    CANCEL,
    CLAIM,
    EXPIRE,
    FAIL,
    FINAL,
    HAND_BACK,
    RELEASE,
    RESCUE,
    RETRY,
    REVIVE,
    SNOOZE,
    STOP,
    SUCCEED,
    Ending,
    Move,
    Reason,
    State,
)
from runtime.database import snapshot, transaction
from tests import make
from tests.clock import Clock

pytestmark = pytest.mark.usefixtures("ledger")

Try = Callable[[Session, Job, Claim, Clock], Job | None]
WORKER = UUID(int=1)


def settles(verdict: Verdict) -> Try:
    return lambda session, _, claim, clock: attempts.settle(session, claim, verdict, clock.now())


def expires(session: Session, job: Job, _: Claim, clock: Clock) -> Job | None:
    return (store.expire(session, [job.id], clock.now() + timedelta(hours=2)) or [None])[0]


def releases(session: Session, job: Job, _: Claim, clock: Clock) -> Job | None:
    hints = store.release(session, [job.id], clock.now())
    return session.get(Job, job.id, populate_existing=True) if hints else None


def cancels(session: Session, job: Job, _: Claim, clock: Clock) -> Job | None:
    before = job.state
    after = store.cancel(session, job.id, clock.now())
    return None if before is State.RUNNING else after  # there it only asks


TRIES: dict[Move, Try] = {
    RELEASE: releases,
    CLAIM: lambda session, job, _, clock: make.claim(session, job.id, WORKER, clock.now()),
    SUCCEED: settles(make.SUCCESS),
    RETRY: settles(make.AGAIN),
    SNOOZE: settles(make.LATER),
    FAIL: settles(make.FAILURE),
    STOP: settles(make.STOPPED),
    HAND_BACK: lambda session, _, claim, clock: attempts.hand_back(session, claim, clock.now()),
    RESCUE: lambda session, _, claim, clock: attempts.rescue(session, claim, make.AGAIN, 1, clock.now()),
    CANCEL: cancels,
    EXPIRE: expires,
    REVIVE: lambda session, job, _, clock: store.revive(session, job.id, clock.now()),
}


def stands(job_id: UUID) -> dict[str, object]:
    """The whole row."""
    with snapshot() as session:
        job = store.find(session, job_id)
        return {column.key: getattr(job, column.key) for column in sa.inspect(Job).mapper.column_attrs}


def running(clock: Clock, **changes: object) -> tuple[Job, Claim]:
    with transaction() as session:
        job = make.job(session, State.RUNNING, **changes)
    return job, make.claim_of(job)


def settle(claim: Claim, verdict: Verdict, clock: Clock) -> Job | None:
    with transaction() as session:
        return attempts.settle(session, claim, verdict, clock.now())


def claim_again(job_id: UUID, clock: Clock, worker: UUID = WORKER) -> Job:
    """The job's next attempt."""
    with transaction() as session:
        store.release(session, [job_id], clock.now())
        job = make.claim(session, job_id, worker, clock.now())
    assert job is not None
    return job


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("move", TRIES, ids=lambda move: move.name)
def test_every_move_from_every_state(move: Move, state: State, clock: Clock) -> None:
    expires_at = clock.now() + timedelta(hours=1)
    fresh = {"expires_at": expires_at} if move is EXPIRE or state is State.EXPIRED else {}
    with transaction() as session:
        job = make.job(session, state, **fresh)
        claim = make.claim_of(job) if state is State.RUNNING else Claim(job.id, job.epoch, WORKER)
    before = stands(job.id)
    clock.advance(1)
    with transaction() as session:
        moved = TRIES[move](session, job, claim, clock)
    after = stands(job.id)
    if state in move.sources:
        assert moved is not None
        assert after["state"] is move.target
        assert moved.state is move.target
    else:
        assert moved is None
        assert after == before | ({"cancel_requested": True} if (move, state) == (CANCEL, State.RUNNING) else {})


@pytest.mark.parametrize("move", TRIES, ids=lambda move: move.name)
def test_no_move_touches_a_job_that_is_not_there(move: Move, clock: Clock) -> None:
    ghost = Job(id=uuid4(), state=State.SCHEDULED)
    with transaction() as session:
        assert TRIES[move](session, ghost, Claim(ghost.id, 1, WORKER), clock) is None


@pytest.mark.parametrize("move", [RELEASE, CLAIM, CANCEL], ids=lambda move: move.name)
def test_a_move_leaves_all_other_jobs_alone(move: Move, clock: Clock) -> None:
    state = State.QUEUED if move is CLAIM else State.SCHEDULED
    with transaction() as session:
        job, other = make.job(session, state), make.job(session, state)
    before = stands(other.id)
    with transaction() as session:
        assert TRIES[move](session, job, Claim(job.id, 0, WORKER), clock) is not None
    assert stands(other.id) == before


def test_a_job_is_claimed_once(clock: Clock) -> None:
    with transaction() as session:
        job = make.job(session, State.QUEUED)
        first = make.claim(session, job.id, WORKER, clock.now())
        second = make.claim(session, job.id, UUID(int=2), clock.now())
    assert first is not None
    assert second is None
    assert (first.epoch, first.attempt, first.worker) == (1, 1, WORKER)


def test_of_many_workers_one_gets_the_job(clock: Clock) -> None:
    with transaction() as session:
        job = make.job(session, State.QUEUED)

    def take(number: int) -> Job | None:
        with transaction() as session:
            return make.claim(session, job.id, UUID(int=number), clock.now())

    with ThreadPoolExecutor(12) as pool:
        taken = [taken for taken in pool.map(take, range(1, 25)) if taken is not None]
    assert len(taken) == 1
    with snapshot() as session:
        (attempt,) = queries.attempts(session, job.id)
    assert (attempt.epoch, attempt.number, attempt.worker) == (1, 1, taken[0].worker)


@pytest.mark.parametrize("late", make.VERDICTS, ids=lambda verdict: type(verdict).__name__)
def test_a_late_word_of_an_overtaken_worker_is_refused(late: Verdict, clock: Clock) -> None:
    job, old = running(clock)
    with transaction() as session:
        attempts.rescue(session, old, make.AGAIN, 1, clock.now())
    clock.advance(31)
    new = make.claim_of(claim_again(job.id, clock, old.worker))
    assert (new.epoch, new.worker) == (old.epoch + 1, old.worker)
    before = stands(job.id)
    assert settle(old, late, clock) is None
    with transaction() as session:
        assert attempts.hand_back(session, old, clock.now()) is None
        assert attempts.rescue(session, old, make.FAILURE, 1, clock.now()) is None
    assert stands(job.id) == before
    assert settle(new, make.SUCCESS, clock) is not None
    with snapshot() as session:
        assert [attempt.outcome for attempt in queries.attempts(session, job.id)] == [Ending.LOST, Ending.SUCCEEDED]


def test_another_worker_cannot_settle_a_claim(clock: Clock) -> None:
    job, claim = running(clock)
    assert settle(Claim(job.id, claim.epoch, UUID(int=99)), make.SUCCESS, clock) is None
    assert stands(job.id)["state"] is State.RUNNING


def test_of_two_words_for_one_claim_the_first_counts(clock: Clock) -> None:
    job, claim = running(clock)
    assert settle(claim, make.FAILURE, clock) is not None
    assert settle(claim, make.SUCCESS, clock) is None
    assert stands(job.id)["reason"] is Reason.REJECTED


def test_success_is_recorded_whole(clock: Clock) -> None:
    job, claim = running(clock)
    then = clock.advance(2.5)
    done = settle(claim, Succeeded({"id": "ch_1", "amount": 5}), clock)
    assert done is not None
    assert (done.result, done.error, done.worker, done.finished_at) == ({"id": "ch_1", "amount": 5}, None, None, then)
    with snapshot() as session:
        (attempt,) = queries.attempts(session, job.id)
    assert (attempt.outcome, attempt.finished_at, attempt.retry_at) == (Ending.SUCCEEDED, then, None)


@pytest.mark.parametrize("result", [None, 0, "", [], {"deep": [{"er": None}]}, "ü\u0000😀"])
def test_any_json_is_a_result(result: object, clock: Clock) -> None:
    job, claim = running(clock)
    assert settle(claim, Succeeded(result), clock) is not None
    assert stands(job.id)["result"] == result


def test_a_retry_waits_and_remembers_why(clock: Clock) -> None:
    job, claim = running(clock)
    again = settle(claim, make.AGAIN, clock)
    assert again is not None
    assert (again.run_at, again.attempt, again.error) == (clock.now() + make.AGAIN.delay, 1, make.ERROR)
    with snapshot() as session:
        (attempt,) = queries.attempts(session, job.id)
    assert (attempt.outcome, attempt.error, attempt.retry_at) == (Ending.RETRY, make.ERROR, again.run_at)
    clock.advance(30)
    assert claim_again(job.id, clock).attempt == 2


def test_a_snooze_spends_no_attempt(clock: Clock) -> None:
    job, claim = running(clock)
    for epoch in range(1, 6):
        snoozed = settle(claim, make.LATER, clock)
        assert snoozed is not None
        assert (snoozed.attempt, snoozed.epoch, snoozed.waits_for) == (0, epoch, make.LATER.why)
        clock.advance(make.LATER.delay)
        claim = make.claim_of(claim_again(job.id, clock))
    assert stands(job.id)["attempt"] == 1
    assert stands(job.id)["waits_for"] is None


@pytest.mark.parametrize("why", ["x" * 500, "with \x00 inside", "half a pair \ud800"])
def test_a_task_may_say_anything_when_it_snoozes(why: str, clock: Clock) -> None:
    _, claim = running(clock)
    snoozed = settle(claim, Snoozed(timedelta(seconds=1), why), clock)
    assert snoozed is not None
    assert len(snoozed.waits_for or "") <= 200


@pytest.mark.parametrize("words", ["x" * 500, "with \x00 inside", "half a pair \ud800"])
def test_an_error_may_say_anything(words: str, clock: Clock) -> None:
    job, claim = running(clock)
    assert settle(claim, TryAgain(timedelta(0), {"class": "Odd", "message": words}), clock) is not None
    assert stands(job.id)["error"] == {"class": "Odd", "message": words.replace("\ud800", "?")}


def test_handing_back_spends_no_attempt(clock: Clock) -> None:
    job, claim = running(clock)
    with transaction() as session:
        back = attempts.hand_back(session, claim, clock.now())
    assert back is not None
    assert (back.attempt, back.epoch, back.state, back.run_at) == (0, 1, State.SCHEDULED, clock.now())
    again = claim_again(job.id, clock)
    assert (again.attempt, again.epoch) == (1, 2)
    with snapshot() as session:
        assert [a.outcome for a in queries.attempts(session, job.id)] == [Ending.HANDED_BACK, None]


def goes_back(session: Session, claim: Claim, clock: Clock) -> dict[str, Callable[[], Job | None]]:
    return {
        "retry": lambda: attempts.settle(session, claim, make.AGAIN, clock.now()),
        "snooze": lambda: attempts.settle(session, claim, make.LATER, clock.now()),
        "hand back": lambda: attempts.hand_back(session, claim, clock.now()),
        "rescue": lambda: attempts.rescue(session, claim, make.AGAIN, 1, clock.now()),
    }


@pytest.mark.parametrize("way", ["retry", "snooze", "hand back", "rescue"])
def test_a_cancel_is_honoured_where_a_running_job_would_go_back(way: str, clock: Clock) -> None:
    job, claim = running(clock)
    with transaction() as session:
        asked = store.cancel(session, job.id, clock.now())
    assert asked is not None
    assert (asked.state, asked.cancel_requested) == (State.RUNNING, True)
    with transaction() as session:
        ended = goes_back(session, claim, clock)[way]()
    assert ended is not None
    assert (ended.state, ended.finished_at, ended.worker) == (State.CANCELLED, clock.now(), None)
    with snapshot() as session:
        (attempt,) = queries.attempts(session, job.id)
    assert attempt.outcome is (Ending.LOST if way == "rescue" else Ending.CANCELLED)


def test_a_late_success_among_others_is_refused_and_theirs_are_recorded(clock: Clock) -> None:
    overtaken, old = running(clock)
    with transaction() as session:
        attempts.rescue(session, old, make.AGAIN, 1, clock.now())
    claim_again(overtaken.id, clock, old.worker)
    before = stands(overtaken.id)
    job, claim = running(clock)
    with transaction() as session:
        both = [(make.taken(overtaken, old), make.SUCCESS), (make.taken(job, claim), make.SUCCESS)]
        recorded = attempts.succeed_all(session, both, clock.now())
    assert recorded == [False, True]
    assert stands(overtaken.id) == before
    assert stands(job.id)["state"] is State.SUCCEEDED


@pytest.mark.parametrize(
    ("verdict", "state"),
    [(make.SUCCESS, State.SUCCEEDED), (make.FAILURE, State.FAILED), (make.STOPPED, State.CANCELLED)],
    ids=["succeeded", "failed", "stopped"],
)
def test_what_has_happened_counts_more_than_a_cancel(verdict: Verdict, state: State, clock: Clock) -> None:
    job, claim = running(clock)
    with transaction() as session:
        store.cancel(session, job.id, clock.now())
        store.cancel(session, job.id, clock.now())
    ended = settle(claim, verdict, clock)
    assert ended is not None
    assert ended.state is state


def test_a_late_word_cannot_stop_a_job_that_was_asked_to_cancel(clock: Clock) -> None:
    job, old = running(clock)
    with transaction() as session:
        attempts.rescue(session, old, make.AGAIN, 1, clock.now())
    claim_again(job.id, clock)
    with transaction() as session:
        store.cancel(session, job.id, clock.now())
    assert settle(old, make.AGAIN, clock) is None
    assert stands(job.id)["state"] is State.RUNNING


def test_a_paused_queue_gives_no_job_out(clock: Clock) -> None:
    with transaction() as session:
        job = make.job(session, State.QUEUED)
        other = make.job(session, State.QUEUED, queue="cpu")
        queues.pause(session, "default")
    with transaction() as session:
        assert make.claim(session, job.id, WORKER, clock.now()) is None
        assert make.claim(session, other.id, WORKER, clock.now()) is not None
    with transaction() as session:
        queues.resume(session, "default")
    with transaction() as session:
        assert make.claim(session, job.id, WORKER, clock.now()) is not None


def test_pausing_lets_running_jobs_end(clock: Clock) -> None:
    _, claim = running(clock)
    with transaction() as session:
        queues.pause(session, "default")
    assert settle(claim, make.SUCCESS, clock) is not None


@pytest.mark.parametrize("state", [State.SCHEDULED, State.QUEUED])
def test_a_job_expires_at_its_time_and_not_before(state: State, clock: Clock) -> None:
    with transaction() as session:
        job = make.job(session, state, expires_at=clock.now() + timedelta(minutes=1))
    clock.advance(59.9)
    with transaction() as session:
        assert store.expire(session, [job.id], clock.now()) == []
    clock.advance(0.1)
    with transaction() as session:
        assert make.claim(session, job.id, WORKER, clock.now()) is None
        assert [expired.id for expired in store.expire(session, [job.id], clock.now())] == [job.id]
    assert stands(job.id)["finished_at"] == clock.now()


def test_a_job_that_was_started_in_time_does_not_expire(clock: Clock) -> None:
    job, claim = running(clock, expires_at=clock.now() + timedelta(minutes=1))
    settle(claim, make.AGAIN, clock)
    clock.advance(3600)
    with transaction() as session:
        assert store.expire(session, [job.id], clock.now()) == []
    assert claim_again(job.id, clock).attempt == 2


def test_a_retry_by_hand_keeps_the_history_and_brings_a_new_budget(clock: Clock) -> None:
    job, claim = running(clock, expires_at=clock.now() + timedelta(minutes=1))
    settle(claim, make.AGAIN, clock)
    clock.advance(3600)
    settle(make.claim_of(claim_again(job.id, clock)), make.FAILURE, clock)
    clock.advance(60)
    with transaction() as session:
        revived = store.revive(session, job.id, clock.now())
    assert revived is not None
    assert (revived.state, revived.run_at, revived.finished_at) == (State.SCHEDULED, clock.now(), None)
    assert (revived.attempt, revived.budget_from, revived.budget_at) == (2, 2, clock.now())
    assert (revived.reason, revived.expires_at, revived.crashes) == (None, None, 0)
    again = claim_again(job.id, clock)
    assert (again.attempt, again.attempt - again.budget_from, again.epoch) == (3, 1, 3)
    with snapshot() as session:
        outcomes = [attempt.outcome for attempt in queries.attempts(session, job.id)]
    assert outcomes == [Ending.RETRY, Ending.FAILED, None]


def test_a_snooze_right_after_a_retry_by_hand_is_within_the_new_budget(clock: Clock) -> None:
    with transaction() as session:
        job = make.job(session, State.FAILED)
        store.revive(session, job.id, clock.now())
    snoozed = settle(make.claim_of(claim_again(job.id, clock)), make.LATER, clock)
    assert snoozed is not None
    assert (snoozed.attempt, snoozed.budget_from, snoozed.epoch) == (1, 1, 2)


def test_a_cancelled_job_that_is_retried_by_hand_is_not_cancelled_again(clock: Clock) -> None:
    job, claim = running(clock)
    with transaction() as session:
        store.cancel(session, job.id, clock.now())
    settle(claim, make.STOPPED, clock)
    with transaction() as session:
        store.revive(session, job.id, clock.now())
    again = settle(make.claim_of(claim_again(job.id, clock)), make.AGAIN, clock)
    assert again is not None
    assert again.state is State.SCHEDULED


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_can_be_stored(reason: Reason, clock: Clock) -> None:
    job, claim = running(clock)
    assert settle(claim, Failed(reason, {"class": "X", "message": "y"}), clock) is not None
    assert stands(job.id)["reason"] is reason


@pytest.mark.parametrize("verdict", [make.SUCCESS, make.LATER, Stopped()], ids=lambda verdict: type(verdict).__name__)
def test_a_lost_attempt_cannot_end_well(verdict: Verdict, clock: Clock) -> None:
    _, claim = running(clock)
    with transaction() as session, pytest.raises(ValueError, match="lost attempt"):
        attempts.rescue(session, claim, verdict, 1, clock.now())


def test_a_clock_that_was_set_back_breaks_no_move(clock: Clock) -> None:
    job, claim = running(clock)
    clock.step(-timedelta(hours=1))
    assert settle(claim, make.AGAIN, clock) is not None
    clock.step(-timedelta(days=1))
    assert settle(make.claim_of(claim_again(job.id, clock)), make.SUCCESS, clock) is not None
    assert stands(job.id)["state"] in FINAL
