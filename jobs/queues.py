"""What can be done to a queue: pause, resume, limit, purge. All of it is stored, and holds for the whole backlog at once."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from jobs import audit, bulk_actions, limits, store
from jobs.errors import Invalid
from jobs.keys import Caller
from jobs.model import BulkAction, Job, Queue
from jobs.search import Filter
from jobs.states import State
from runtime import clock
from runtime.database import insert
from runtime.settings import settings


def check(name: str) -> str:
    """The name itself.

    Raises:
        Invalid: no queue is so called, so no worker would ever take the job.
    """
    if name not in settings().queues:
        known = ", ".join(settings().queues)
        raise Invalid.at("/queue", f"There is no queue {name!r}. The queues are: {known}. Add one with TREADLE_QUEUES.")
    return name


def pause(session: Session, name: str, caller: Caller | None = None) -> None:
    """Stop starting jobs of this queue, those already hinted included; running ones go on."""
    _make(session, name)
    session.execute(update(Queue).where(Queue.name == name, Queue.paused_at.is_(None)).values(paused_at=clock.now()))
    _note(session, caller, "queue.pause", name)


def resume(session: Session, name: str, caller: Caller | None = None) -> None:
    """Start jobs of this queue again."""
    check(name)
    lane = session.get(Queue, name)
    if lane is not None:
        lane.paused_at = None
    _note(session, caller, "queue.resume", name)


def limit(session: Session, name: str, caller: Caller | None = None, **changes: Any) -> None:
    """Change `max_running` (jobs at once) or `rate` (starts a second); None is no limit.

    Hints that are out are taken back, so that the limits hold for them too; what runs goes on.
    """
    _make(session, name)
    lane = session.get_one(Queue, name, with_for_update=True, populate_existing=True)
    for changed, value in changes.items():
        setattr(lane, changed, value)
    lane.paced_to = None
    if limits.is_limited(lane):
        hinted = select(Job.id).where(Job.state == State.QUEUED, Job.queue == name).with_for_update(skip_locked=True)
        store.amend_all(session, session.scalars(hinted).all())
    _note(session, caller, "queue.limit", name, **changes)


def purge(session: Session, name: str, caller: Caller, rate: float | None = None) -> BulkAction:
    """Have everything cancelled that waits in this queue now, in the background. `rate` is in jobs a second."""
    check(name)
    action = bulk_actions.begin(session, caller, "purge", {}, Filter(queue=name), rate)
    audit.note(session, caller, "queue.purge", name, action=str(action.id), expected=action.expected)
    return action


def _make(session: Session, name: str) -> None:
    session.execute(insert(session, Queue).values(name=check(name)).on_conflict_do_nothing())


def _note(session: Session, caller: Caller | None, what: str, name: str, **detail: Any) -> None:
    if caller is not None:  # not by a command on the database itself
        audit.note(session, caller, what, name, **detail)
