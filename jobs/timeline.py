"""What happened to a job, in order: told from its row, its attempts and its log, so that no run writes more for it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from jobs import audit, queries
from jobs.model import Attempt, Job
from jobs.reach import EVERYTHING, Reach
from jobs.states import FINAL, State

LINES = 1000  # of the log, the last

What = Literal["accepted", "started", "ended", "line", "deed", "finished", "waits"]


@dataclass(frozen=True)
class Moment:
    """Something that happened, or is going to: a job that waits ends with the time at which it may run."""

    at: datetime
    what: What
    attempt: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def of(session: Session, tenant: str, job_id: UUID, reach: Reach = EVERYTHING) -> list[Moment]:
    """What happened to a job, oldest first.

    Raises:
        JobNotFound: there is none, or it is another tenant's.
    """
    job, attempts = queries.get(session, tenant, job_id, reach), queries.attempts(session, job_id)
    numbers = {attempt.epoch: attempt.number for attempt in attempts}
    moments = [Moment(job.created_at, "accepted", detail={"request_id": job.request_id})]
    for attempt in attempts:
        moments += _attempt(attempt)
    moments += (
        Moment(line.at, "line", numbers.get(line.epoch), {"level": line.level, "message": line.message})
        for line in queries.log_lines(session, job_id, LINES)
    )
    moments += (
        Moment(deed.at, "deed", detail={"what": deed.what, "who": deed.who, **deed.detail})
        for deed in audit.entries(session, tenant, str(job_id), limit=LINES)[::-1]
    )
    moments.sort(key=lambda moment: moment.at)  # stable: what happened at one time keeps the order of the record
    return [*moments, *_present(job)]


def _attempt(attempt: Attempt) -> list[Moment]:
    moments = [Moment(attempt.started_at, "started", attempt.number, {"worker": str(attempt.worker)})]
    if attempt.finished_at is not None and attempt.outcome is not None:
        detail = {"outcome": str(attempt.outcome), "error": attempt.error, "retry_at": attempt.retry_at}
        moments.append(Moment(attempt.finished_at, "ended", attempt.number, detail))
    return moments


def _present(job: Job) -> list[Moment]:
    if job.state in FINAL and job.finished_at is not None:
        return [Moment(job.finished_at, "finished", detail={"state": str(job.state), "reason": job.reason})]
    if job.state is State.SCHEDULED:
        return [Moment(job.run_at, "waits", detail={"for": job.waits_for or "its time"})]
    return []
