"""Events of our own: written by the transaction that makes them true, and published by the scheduler.

So none is lost between the two, and where nobody listens nothing is written: one read of one row a transaction tells.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from jobs import webhooks
from jobs.matching import rulebook
from jobs.model import DEFAULT_TENANT, Job, Notice
from jobs.states import State
from runtime import clock

_KEPT_OF_ERROR = ("class", "message", "status", "code")


def tell(session: Session, kind: str, data: Any, subject: str | None = None, tenant: str = DEFAULT_TENANT) -> None:
    """Say that something happened, such as `circuit.opened`, if anybody listens."""
    if rulebook.current(session, tenant).hears(kind, ours=True):
        _write(session, kind, data, subject, tenant, heard=True)


def is_told(session: Session, job: Any, state: State) -> bool:
    """Whether anybody is to be told that a job (anything with its `task`, `tenant` and `callback`) came to a final state."""
    if job.task == webhooks.TASK:
        return False
    return job.callback is not None or rulebook.current(session, job.tenant).hears(f"job.{state}", ours=True)


def tell_ends(session: Session, jobs: Iterable[Job]) -> None:
    """Say that jobs have become final, to those who listen and to the URLs that the jobs themselves name.

    Deliveries are left out: else each would cause the next.
    """
    for job in jobs:
        if is_told(session, job, job.state):
            kind = f"job.{job.state}"
            heard = rulebook.current(session, job.tenant).hears(kind, ours=True)
            _write(session, kind, _about(job), str(job.id), job.tenant, heard=heard, of=job, callback=job.callback)


def tell_record(
    session: Session, job: Job, lines: Sequence[tuple[datetime, str, str]], progress: dict[str, Any] | None
) -> None:
    """Say what a running job said of itself, to those who listen: its new lines together, and how far it is."""
    about = {"job_id": str(job.id), "task": job.task}
    said = [
        {"at": at.isoformat(), "level": level, "message": message} for at, level, message in lines if level != "progress"
    ]
    for kind, news in (("job.log", {"lines": said}), ("job.progress", {"progress": progress})):
        if all(news.values()) and rulebook.current(session, job.tenant).hears(kind, ours=True):
            _write(session, kind, about | news, str(job.id), job.tenant, heard=True, of=job)


def _write(
    session: Session,
    kind: str,
    data: Any,
    subject: str | None,
    tenant: str,
    *,
    heard: bool,
    of: Job | None = None,
    callback: str | None = None,
) -> None:
    session.add(
        Notice(
            id=uuid7(),
            tenant=tenant,
            type=kind,
            subject=subject,
            at=clock.now(),
            data=data,
            callback=callback,
            heard=heard,
            event_id=of.event_id if of else None,
        )
    )


def _about(job: Job) -> dict[str, Any]:
    """What listeners are told: all but the payload."""
    return {
        "job_id": str(job.id),
        "task": job.task,
        "queue": job.queue,
        "state": job.state,
        "reason": job.reason,
        "attempt": job.attempt,
        "result": job.result,
        "error": {name: job.error[name] for name in _KEPT_OF_ERROR if name in job.error} if job.error else None,
        "tags": job.tags,
        "metadata": job.meta,
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
    }
