"""Receipts: what a job has done outside, so that a rerun knows.

Before a call that must not be made twice an *intent* is committed, after it the *receipt*. What a crash leaves behind:

| it comes | the row says | the rerun |
|---|---|---|
| before the intent is committed | nothing | calls |
| between intent and call | an intent | asks the other side, if it can be asked; else a person must look |
| in the call, or before the receipt is committed | an intent | the same |
| after the receipt | a receipt | takes the result from it |
| after a clear no, before the intent is withdrawn | an intent | the same as above: a false alarm, never a double |

An intent is written under the claim's lock, so a worker that was overtaken writes none, and a rerun sees every one that was
written before it. A receipt is written by whoever's intent still stands: what a late worker learned of its own call is true.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session
from tenacity import retry, retry_if_exception_type, wait_exponential

from jobs.claims import Claim
from jobs.errors import LeaseLost, Transient
from jobs.model import Attempt, Job, Receipt
from jobs.states import Ending
from runtime import clock
from runtime.database import Unavailable

Answer = TypeVar("Answer")
Write = Callable[[Callable[[Session], Any], UUID], Any]

_UNKNOWN = ("Ambiguous", "TimedOut", "Unconfirmed", "WorkerLost")


@dataclass(frozen=True)
class Book:
    """The receipts of a job, as the attempt under `claim` may read and write them. `write` commits a change."""

    claim: Claim
    write: Write

    def find(self, step: str) -> Receipt | None:
        """The step's intent or receipt."""
        return self._now(lambda session: session.scalars(select(Receipt).where(*self._at(step))).one_or_none())

    def intend(self, step: str, account: str | None = None, instead_of: Receipt | None = None) -> None:
        """Announce a call. It is committed when this returns; `instead_of` is the open intent that it takes over.

        Raises:
            LeaseLost: the job is no longer this worker's, or another attempt's intent has come between. Nothing is stored.
            Transient: the ledger is away.
        """

        def announce(session: Session) -> None:
            held = select(Job.id).where(
                Job.id == self.claim.job_id, Job.epoch == self.claim.epoch, Job.worker == self.claim.worker
            )
            if session.scalar(held.with_for_update(read=True)) is None:
                raise LeaseLost
            new = {"epoch": self.claim.epoch, "account": account, "intended_at": clock.now()}
            if instead_of is None:
                session.add(Receipt(job_id=self.claim.job_id, step=step, **new))
                session.flush()
                return
            open_still = *self._at(step), Receipt.epoch == instead_of.epoch, Receipt.done_at.is_(None)
            if session.scalar(update(Receipt).where(*open_still).values(new).returning(Receipt.step)) is None:
                raise LeaseLost

        self._now(announce)

    @retry(retry=retry_if_exception_type(Unavailable), wait=wait_exponential(0.1, max=2))
    def keep(self, step: str, result: Any) -> None:
        """Record what the call of this attempt's intent gave, waiting for the ledger as long as it takes: it was done."""
        done = update(Receipt).where(*self._mine(step)).values(done_at=clock.now(), result=result)
        self.write(lambda session: session.execute(done), self.claim.job_id)

    @retry(retry=retry_if_exception_type(Unavailable), wait=wait_exponential(0.1, max=2))
    def withdraw(self, step: str) -> None:
        """Take this attempt's intent back: for sure nothing was done."""
        self.write(lambda session: session.execute(delete(Receipt).where(*self._mine(step))), self.claim.job_id)

    def first_call(self) -> datetime | None:
        """When the first attempt began that may have called; None if this is the first."""
        earlier = Attempt.job_id == self.claim.job_id, Attempt.epoch < self.claim.epoch
        called = Attempt.outcome.is_(None) | Attempt.outcome.not_in([Ending.SNOOZED])
        return self._now(lambda session: session.scalar(select(func.min(Attempt.started_at)).where(*earlier, called)))

    def was_looked_at(self, since: datetime) -> bool:
        """Whether the job has failed for not knowing since then, and a person has retried it by hand."""
        told = (
            select(Attempt.epoch)
            .join(Job, Job.id == Attempt.job_id)
            .where(
                Attempt.job_id == self.claim.job_id,
                Attempt.outcome.in_([Ending.FAILED, Ending.LOST]),
                Attempt.error["class"].as_string().in_(_UNKNOWN),
                Attempt.finished_at >= since,
                Attempt.finished_at <= Job.budget_at,
            )
        )
        return self._now(lambda session: session.scalar(told.limit(1)) is not None)

    def _at(self, step: str) -> tuple[ColumnElement[bool], ...]:
        return Receipt.job_id == self.claim.job_id, Receipt.step == step

    def _mine(self, step: str) -> tuple[ColumnElement[bool], ...]:
        return *self._at(step), Receipt.epoch == self.claim.epoch, Receipt.done_at.is_(None)

    def _now(self, do: Callable[[Session], Answer]) -> Answer:
        try:
            answer: Answer = self.write(do, self.claim.job_id)
        except Unavailable as error:
            raise Transient("the ledger is away, so nothing was called", code="ledger") from error
        return answer
