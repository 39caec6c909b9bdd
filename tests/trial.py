"""A task tried as a worker does it, attempt by attempt, on a real ledger, in this process."""

import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

import sqlalchemy as sa

from jobs import claims, liveness, queries, store
from jobs.claims import Taken
from jobs.model import Attempt, Job, Receipt
from jobs.outcome import Verdict
from jobs.states import State
from runtime import clock
from runtime.database import snapshot, transaction
from tasks import Task
from tests import make
from workers.attempt import attempt
from workers.member import Member
from workers.settlement import settle

Tried = TypeVar("Tried", bound=Task)


def _member() -> Member:
    return Member("threads", ["default"], 1, always_trusted=True)


@dataclass
class Trial(Generic[Tried]):
    """Where a task is tried."""

    task: Tried
    member: Member = field(default_factory=_member, kw_only=True)
    verdict: Verdict | None = field(default=None, kw_only=True)

    def take(self, payload: Any, **more: Any) -> UUID:
        """A job of the task, as the door would take it; `more` are columns of its row."""
        account = self.task.account(self.task.accept(payload))
        with transaction() as session:
            self.member.id = liveness.register(session, os.getpid(), "threads", ["default"], 1)
            asked = {"task": self.task.name, "payload": payload, "retry": self.task.retry, "account": account, **more}
            return make.job(session, State.QUEUED, **asked).id

    def run(self, job_id: UUID, *, dies: bool = False) -> Job:
        """One attempt. A worker that `dies` does so after all its calls, before their outcome is recorded."""
        job = self._claim(job_id)
        running, self.verdict = attempt(self.task, job, self.member)
        self.member.roll.remove(running)
        if dies:
            with transaction() as session:
                left = liveness.rescue(session, job, poison=99, guilty=False)
        else:
            left = settle(running, self.verdict)
        assert left is not None
        return left

    def error(self, job_id: UUID) -> dict[str, Any]:
        """What the last attempt's row says of its error."""
        with snapshot() as session:
            last = sa.select(Attempt.error).where(Attempt.job_id == job_id).order_by(Attempt.epoch.desc()).limit(1)
            return session.scalar(last) or {}

    def lines(self, job_id: UUID) -> list[str]:
        """The job's log."""
        with snapshot() as session:
            return [line.message for line in queries.log_lines(session, job_id, 100)]

    def age(self, job_id: UUID) -> None:
        """Let a day pass since the job's calls were announced."""
        with transaction() as session:
            yesterday = clock.now() - timedelta(days=1)
            session.execute(sa.update(Receipt).where(Receipt.job_id == job_id).values(intended_at=yesterday))

    def _claim(self, job_id: UUID) -> Taken:
        assert self.member.id is not None
        now = clock.now()
        with transaction() as session:
            session.execute(sa.update(Job).where(Job.id == job_id).values(run_at=now))
            store.release(session, [job_id], now)
            return claims.claim_all(session, [job_id], self.member.id, now).jobs[job_id]
