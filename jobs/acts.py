"""What a person can do to a job: cancel, retry, replay, change. Each act is noted in the audit log."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy.orm import Session

from jobs import audit, flow, holds, queries, store
from jobs.errors import MoveRefused
from jobs.keys import Caller
from jobs.model import Job
from jobs.order import Order
from jobs.states import FINAL
from jobs.submit import Submission, submit
from runtime import clock


def cancel(session: Session, caller: Caller, job_id: UUID) -> Job:
    """Cancel a job: at once if it waits; a running one is asked to give way.

    Raises:
        JobNotFound: there is none, or it is another tenant's.
        MoveRefused: it is final.
    """
    found = queries.get(session, caller.tenant, job_id, caller.reach)
    audit.note(session, caller, "job.cancel", job_id)
    return store.cancel(session, job_id, clock.now()) or _refuse("cancelling it", found)


def retry(session: Session, caller: Caller, job_id: UUID) -> Job:
    """Give a job that failed, was cancelled or expired a new budget of attempts. It keeps its id, its history and its key.

    Raises:
        JobNotFound: there is none, or it is another tenant's.
        MoveRefused: it is open, or succeeded.
    """
    found, now = queries.get(session, caller.tenant, job_id, caller.reach), clock.now()
    audit.note(session, caller, "job.retry", job_id)
    room = _has_room(session, found, now)  # before it counts as waiting itself
    return _sent(session, store.revive(session, job_id, now) or _refuse("retrying it", found), room, now)


def change(session: Session, caller: Caller, job_id: UUID, **changes: Any) -> Job:
    """Change a job's time or priority while it waits.

    Raises:
        JobNotFound: there is none, or it is another tenant's.
        MoveRefused: it does not wait.
    """
    found, now = queries.get(session, caller.tenant, job_id, caller.reach), clock.now()
    noted = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in changes.items()}
    audit.note(session, caller, "job.change", job_id, **noted)
    room = changes.get("run_at", found.run_at) <= now and _has_room(session, found, now)
    return _sent(session, store.amend(session, job_id, **changes) or _refuse("changing it", found), room, now)


def replay(session: Session, caller: Caller, job_id: UUID, edit: Callable[[Job], Any]) -> Submission:
    """Make a new job like one that is final, with another payload and so with another key; the old one stays as it is.

    Raises:
        JobNotFound: there is none, or it is another tenant's.
        MoveRefused: it is still open.
        Exception: what `edit` raises; it returns the new payload.
    """
    old = queries.get(session, caller.tenant, job_id, caller.reach)
    if old.state not in FINAL:
        _refuse("replaying it", old)
    made = submit(session, replace(Order.like(old), payload=edit(old), caller=caller.key_id, request_id=caller.request_id))
    audit.note(session, caller, "job.replay", job_id, new=str(made.job.id))
    return made


def _has_room(session: Session, job: Job, now: datetime) -> bool:
    return not holds.is_held(job.account) and flow.window.take(session, job.queue, now)


def _sent(session: Session, job: Job, room: bool, now: datetime) -> Job:
    """The job, with its hint on the way if its queue has room."""
    if not room:
        return job
    flow.offer(session, store.release(session, [job.id], now))
    session.refresh(job)
    return job


def _refuse(wish: str, job: Job) -> NoReturn:
    raise MoveRefused(wish, job.state)
