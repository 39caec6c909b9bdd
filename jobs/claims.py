"""From hints to claims: queued jobs are taken, each for one attempt by one worker. Those asked for together go together."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, exists, insert, select, update
from sqlalchemy.orm import Session

from jobs import tally
from jobs.model import Attempt, Job, Queue
from jobs.states import CLAIM
from runtime.afterwards import after_commit
from runtime.database import Instant
from runtime.listed import listed, written
from runtime.prepared import Prepared, Returned


class Claim(NamedTuple):
    """The right to run one attempt: worthless once the row has a higher epoch."""

    job_id: UUID
    epoch: int
    worker: UUID


class Taken(NamedTuple):
    """A claimed job: what its attempt needs of the row."""

    worker: UUID
    started_at: datetime
    id: UUID
    epoch: int
    tenant: str
    task: str
    queue: str
    callback: str | None
    payload: Any
    account: str | None
    retry: dict[str, Any]
    timeout: timedelta
    attempt: int
    budget_from: int
    budget_at: datetime
    crashes: int
    run_at: datetime
    request_id: str | None
    traceparent: str | None

    @property
    def claim(self) -> Claim:
        """The right to run it."""
        return Claim(self.id, self.epoch, self.worker)


TAKEN = tuple(getattr(Job, name) for name in Taken._fields)
_PAUSED = exists().where(Queue.name == Job.queue, Queue.paused_at.is_not(None))
_CLAIMABLE = (  # locked in one order; what another has locked is about to move, and its hint is stale
    select(Job.id)
    .where(Job.id.in_(listed("wanted")), Job.state.in_(CLAIM.sources), ~_PAUSED)
    .where(Job.expires_at.is_(None) | (Job.expires_at > bindparam("at", type_=Instant)) | (Job.attempt > 0))
    .order_by(Job.id)
    .with_for_update(skip_locked=True)
)
_CLAIM = Prepared(
    update(Job)
    .where(Job.id.in_(_CLAIMABLE), Job.state.in_(CLAIM.sources))
    .values(
        state=CLAIM.target, parked_at=None, waits_for=None, progress=None,
        epoch=Job.epoch + 1, attempt=Job.attempt + 1, worker=bindparam("claimant"), started_at=bindparam("at"),
    )
    .returning(*TAKEN[2:]),
    "wanted", "claimant", "at",
)  # fmt: skip
_BEGIN = Prepared(
    insert(Attempt).from_select(
        ("job_id", "epoch", "number", "worker", "started_at"),
        select(Job.id, Job.epoch, Job.attempt, Job.worker, Job.started_at).where(Job.id.in_(listed("claimed"))),
    ),
    "claimed",
)


class Claimed:
    """Jobs that were taken together."""

    def __init__(self, worker: UUID, now: datetime, returned: Returned) -> None:
        self._of, self._returned = (worker, now), returned

    @cached_property
    def jobs(self) -> dict[UUID, Taken]:
        """They by their ids. The rows are read when it is first asked for: the transaction need not be open for that."""
        taken = (Taken(*self._of, *row) for row in self._returned)
        return {job.id: job for job in taken}

    def note(self) -> None:
        """Count how long they had waited."""
        _, now = self._of
        tally.waits([(job.queue, now - job.run_at) for job in self.jobs.values()])


def claim_all(session: Session, job_ids: Iterable[UUID], worker: UUID, now: datetime) -> Claimed:
    """Take queued jobs, each for one attempt; left out are those not there to be taken (a stale hint, a paused queue)."""
    connection = session.connection()
    returned = _CLAIM.returned(connection, list(job_ids), worker, now)
    claimed = Claimed(worker, now, returned)
    if returned.rows:
        _BEGIN.execute(connection, [(written(job_id for job_id, *_ in returned.rows),)])
        after_commit(session, claimed.note)
    return claimed
