"""Receipts: a step is done once, wherever the worker dies; a stale worker announces nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from jobs import attempts, liveness, store
from jobs.errors import Ambiguous, Duplicate, LeaseLost, RateLimited, Rejected, Snooze, Transient, Unconfirmed
from jobs.model import Job, Receipt
from jobs.outcome import Failed
from jobs.policy import RetryPolicy
from jobs.receipts import Book
from jobs.states import Reason, State
from runtime import clock as real_clock
from runtime.database import snapshot, transaction
from tasks.context import Context
from tests import make
from tests.clock import Clock

pytestmark = pytest.mark.usefixtures("ledger")
ASKING = RetryPolicy(on_unknown="confirm")


def write(do: Callable[[Session], Any], _: UUID) -> Any:
    with transaction() as session:
        return do(session)


class Provider:
    """The other side: it does what it is asked as often as it is asked, and can fail after it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.asked = 0

    def do(self, what: str, fails: Exception | None = None) -> dict[str, Any]:
        if not isinstance(fails, Transient | Rejected):
            self.done.append(what)
        if fails is not None:
            raise fails
        return {"id": len(self.done)}

    def confirm(self) -> dict[str, Any] | None:
        self.asked += 1
        return {"id": len(self.done)} if self.done else None


@pytest.fixture
def provider() -> Provider:
    return Provider()


def begin(job: Job | None = None, **changes: Any) -> tuple[Job, Context]:
    """A running job, by a worker of its own, and the context of its attempt."""
    with transaction() as session:
        if job is None:
            job = make.job(session, State.QUEUED, retry=ASKING)
        now = real_clock.now()
        session.execute(sa.update(Job).where(Job.id == job.id).values(run_at=now))
        store.release(session, [job.id], now)
        running = make.claim(session, job.id, make.worker(session), now)
    assert running is not None
    return running, Context(running.id, running.task, book=Book(make.claim_of(running), write), **changes)


def dies(job: Job) -> Job:
    """The worker of a job dies, and the job is taken back."""
    with transaction() as session:
        rescued = liveness.rescue(session, job, poison=99, guilty=False)
    assert rescued is not None
    return rescued


def fails(job: Job) -> Job:
    """The attempt fails for not knowing."""
    verdict = Failed(Reason.UNKNOWN_OUTCOME, {"class": "Unconfirmed", "message": "nobody knows"})
    with transaction() as session:
        settled = attempts.settle(session, make.claim_of(job), verdict, real_clock.now())
    assert settled is not None
    return settled


def receipt(job: Job) -> Receipt | None:
    with snapshot() as session:
        return session.scalars(sa.select(Receipt).where(Receipt.job_id == job.id)).one_or_none()


def test_a_step_is_done_once_and_its_result_stays_the_same(provider: Provider) -> None:
    job, context = begin()
    assert context.once("pay", provider.do, "pay") == {"id": 1}
    assert context.once("pay", provider.do, "pay") == {"id": 1}
    _, rerun = begin(dies(job))
    assert rerun.once("pay", provider.do, "pay") == {"id": 1}
    assert provider.done == ["pay"]


def test_a_result_of_none_is_a_result(provider: Provider) -> None:
    job, context = begin()
    assert context.once("pay", lambda: provider.done.append("pay")) is None
    _, rerun = begin(dies(job))
    assert rerun.once("pay", lambda: provider.done.append("pay")) is None
    assert provider.done == ["pay"]


def test_the_steps_of_a_job_are_told_apart_and_jobs_too(provider: Provider) -> None:
    _, context = begin()
    _, other = begin()
    assert context.once("pay", provider.do, "pay") == {"id": 1}
    assert context.once("tell", provider.do, "tell") == {"id": 2}
    assert other.once("pay", provider.do, "pay again") == {"id": 3}


def test_the_intent_is_committed_before_the_call(provider: Provider) -> None:
    job, context = begin()

    def looks() -> bool:
        found = receipt(job)
        assert found is not None
        return found.done_at is None

    assert context.once("pay", looks) is True


def test_a_worker_that_dies_before_it_announces_leaves_nothing_to_ask_about(provider: Provider) -> None:
    job, _ = begin()
    _, rerun = begin(dies(job))
    assert rerun.once("pay", provider.do, "pay") == {"id": 1}


class Killed(BaseException):
    """The worker is gone: nothing after this is done."""


@pytest.mark.parametrize("after_the_call", [False, True])
def test_a_worker_that_dies_in_the_call_leaves_what_a_person_must_look_at(after_the_call: bool, provider: Provider) -> None:
    job, context = begin()

    def killed() -> None:
        if after_the_call:
            provider.do("pay")
        raise Killed

    with pytest.raises(Killed):
        context.once("pay", killed)
    _, rerun = begin(dies(job))
    with pytest.raises(Unconfirmed, match="the other side cannot be asked"):
        rerun.once("pay", provider.do, "pay")
    assert provider.done == ["pay"] * after_the_call


@pytest.mark.parametrize("after_the_call", [False, True])
def test_or_that_the_other_side_is_asked_about(after_the_call: bool, provider: Provider) -> None:
    job, context = begin()

    def killed() -> None:
        if after_the_call:
            provider.do("pay")
        raise Killed

    with pytest.raises(Killed):
        context.once("pay", killed)
    job, rerun = begin(dies(job))
    assert rerun.once("pay", provider.do, "pay", confirm=provider.confirm) == {"id": 1}
    _, third = begin(dies(job))
    assert third.once("pay", provider.do, "pay", confirm=provider.confirm) == {"id": 1}
    assert (provider.done, provider.asked) == (["pay"], 1)


def test_a_person_who_retries_what_could_not_be_told_has_looked(provider: Provider, clock: Clock) -> None:
    job, context = begin()
    with pytest.raises(Unconfirmed):
        context.once("pay", provider.do, "pay", Ambiguous("no answer"))
    failed = fails(job)
    clock.advance(60)
    with transaction() as session:
        assert store.revive(session, failed.id, real_clock.now()) is not None
    job, rerun = begin(failed)
    assert rerun.once("pay", provider.do, "pay") == {"id": 2}
    _, third = begin(dies(job))
    assert third.once("pay", provider.do, "pay") == {"id": 2}


def test_at_least_once_calls_again_where_nobody_can_be_asked_and_keeps_what_it_knows(provider: Provider) -> None:
    job, context = begin(at_least_once=True)
    with pytest.raises(Ambiguous) as caught:
        context.once("pay", provider.do, "pay", Ambiguous("no answer"))
    assert not isinstance(caught.value, Unconfirmed)
    job, rerun = begin(dies(job), at_least_once=True)
    assert rerun.once("pay", provider.do, "pay") == {"id": 2}
    _, third = begin(dies(job), at_least_once=True)
    assert third.once("pay", provider.do, "pay") == {"id": 2}


@pytest.mark.parametrize("no", [Transient("away"), RateLimited("slowly"), Rejected("never"), Snooze(timedelta(1), "later")])
def test_a_clear_no_is_forgotten(no: Exception, provider: Provider) -> None:
    job, context = begin()
    with pytest.raises(type(no)):
        context.once("pay", provider.do, "pay", no)
    assert receipt(job) is None
    provider.done.clear()
    _, rerun = begin(dies(job))
    assert rerun.once("pay", provider.do, "pay") == {"id": 1}


@pytest.mark.parametrize("unclear", [Ambiguous("no answer"), ValueError("a bug")])
def test_no_clear_answer_is_asked_about_later_and_not_repeated(unclear: Exception, provider: Provider) -> None:
    job, context = begin()
    with pytest.raises(type(unclear)):
        context.once("pay", provider.do, "pay", unclear, confirm=provider.confirm)
    _, rerun = begin(dies(job))
    assert rerun.once("pay", provider.do, "pay", confirm=provider.confirm) == {"id": 1}
    assert provider.done == ["pay"]


def test_what_the_other_side_had_done_before_is_a_receipt(provider: Provider) -> None:
    job, context = begin()
    duplicate = {"duplicate": True, "detail": "post 7"}
    assert context.once("post", provider.do, "post", Duplicate(detail="post 7")) == duplicate
    _, rerun = begin(dies(job))
    assert rerun.once("post", provider.do, "post") == duplicate


def test_it_is_not_asked_before_the_answer_is_sure(provider: Provider, clock: Clock) -> None:
    job, context = begin()
    ask: dict[str, Any] = {"confirm": provider.confirm, "settled": timedelta(minutes=2)}
    with pytest.raises(Ambiguous):
        context.once("pay", provider.do, "pay", Ambiguous("no answer"), **ask)
    clock.advance(30)
    job, rerun = begin(dies(job))
    with pytest.raises(Snooze) as caught:
        rerun.once("pay", provider.do, "pay", **ask)
    assert caught.value.delay == timedelta(seconds=90)
    clock.advance(90)
    _, third = begin(dies(job))
    assert third.once("pay", provider.do, "pay", **ask) == {"id": 1}
    assert (provider.done, provider.asked) == (["pay"], 1)


def test_a_question_that_fails_leaves_the_matter_open(provider: Provider) -> None:
    job, context = begin()
    with pytest.raises(Ambiguous):
        context.once("pay", provider.do, "pay", Ambiguous("no answer"), confirm=provider.confirm)

    def away() -> None:
        raise Transient("the provider is away")

    job, rerun = begin(dies(job))
    with pytest.raises(Ambiguous, match="could not be asked"):
        rerun.once("pay", provider.do, "pay", confirm=away)
    found = receipt(job)
    assert found is not None
    assert found.done_at is None


def test_a_worker_that_was_overtaken_announces_nothing(provider: Provider) -> None:
    job, stale = begin()
    begin(dies(job))
    with pytest.raises(LeaseLost):
        stale.once("pay", provider.do, "pay")
    assert provider.done == []
    assert receipt(job) is None


def test_a_late_answer_to_ones_own_call_is_still_written(provider: Provider) -> None:
    """It woke after its lease, in the middle of its call. What it learned is true, and saves a person's look."""
    job, stale = begin()
    rescued: list[Job] = []

    def freezes() -> dict[str, Any]:
        rescued.append(dies(job))
        return provider.do("pay")

    assert stale.once("pay", freezes) == {"id": 1}
    _, rerun = begin(rescued[0])
    assert rerun.once("pay", provider.do, "pay") == {"id": 1}
    assert provider.done == ["pay"]


def test_but_not_to_a_call_that_another_attempt_has_taken_over(provider: Provider) -> None:
    job, stale = begin()
    taken: list[Any] = []

    def freezes() -> dict[str, Any]:
        _, rerun = begin(dies(job))
        taken.append(rerun.once("pay", provider.do, "the rerun's", confirm=lambda: None))
        return {"id": "stale"}

    stale.once("pay", freezes)
    found = receipt(job)
    assert found is not None
    assert found.result == taken[0] == {"id": 1}


def test_of_two_attempts_that_both_saw_an_open_intent_one_calls(provider: Provider) -> None:
    """The first asks, is overtaken while it asks, and comes back: its announcement is refused."""
    job, context = begin()
    with pytest.raises(Ambiguous):
        context.once("pay", provider.do, "pay", Ambiguous("no answer"), confirm=provider.confirm)
    provider.done.clear()
    job, slow = begin(dies(job))

    def asks_for_long() -> None:
        _, quick = begin(dies(job))
        quick.once("pay", provider.do, "the quick one's", confirm=lambda: None)

    with pytest.raises(LeaseLost):
        slow.once("pay", provider.do, "the slow one's", confirm=asks_for_long)
    assert provider.done == ["the quick one's"]


def test_with_the_ledger_away_nothing_is_called(provider: Provider) -> None:
    def away(*_: Any) -> Any:
        raise OperationalError("", {}, Exception("the server closed the connection"))

    job, context = begin()
    context.book = Book(make.claim_of(job), away)
    with pytest.raises(Transient, match="nothing was called"):
        context.once("pay", provider.do, "pay")
    assert provider.done == []


def test_a_receipt_waits_for_a_ledger_that_went_away_in_the_call(provider: Provider) -> None:
    job, context = begin()
    refusals = [OperationalError("", {}, Exception("gone"))] * 2

    def flaky(do: Callable[[Session], Any], job_id: UUID) -> Any:
        if provider.done and refusals:
            raise refusals.pop()
        return write(do, job_id)

    context.book = Book(make.claim_of(job), flaky)
    assert context.once("pay", provider.do, "pay") == {"id": 1}
    found = receipt(job)
    assert found is not None
    assert found.result == {"id": 1}


def test_receipts_die_with_their_job(provider: Provider) -> None:
    job, context = begin()
    context.once("pay", provider.do, "pay")
    with transaction() as session:
        session.execute(sa.delete(Job).where(Job.id == job.id))
    assert receipt(job) is None


def test_a_result_is_kept_as_json(provider: Provider) -> None:
    _, context = begin()
    assert context.once("pay", lambda: {"at": timedelta(seconds=90), "sum": float("inf")}) == {"at": "PT1M30S", "sum": None}


def test_the_first_call_is_the_first_attempt_that_was_not_put_off(clock: Clock) -> None:
    job, context = begin()
    assert context.book is not None
    assert context.book.first_call() is None
    with transaction() as session:
        attempts.settle(session, make.claim_of(job), make.LATER, real_clock.now())
    clock.advance(60)
    called = real_clock.now()
    job, second = begin(job)
    assert second.book is not None
    assert second.book.first_call() is None
    clock.advance(60)
    _, third = begin(dies(job))
    assert third.book is not None
    assert third.book.first_call() == called
