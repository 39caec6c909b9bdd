"""One act on many jobs: filter, count, run in batches by the scheduler, abort, resume.

A batch and the place it has come to are one transaction, so each job is met once, whoever dies meanwhile.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, union_all, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from jobs import audit, queries, search, store
from jobs.errors import ActionNotFound, Invalid, MoveRefused
from jobs.keys import Caller
from jobs.model import BulkAction, Job
from jobs.search import Count, Filter
from jobs.states import State
from runtime import clock
from runtime.database import ask

BATCH = 500  # jobs a transaction: the write lock is never held for long

VERBS = ("retry", "cancel", "reschedule", "prioritise", "purge")

_DUE = select(BulkAction.id).where(BulkAction.state == "running").order_by(BulkAction.next_at)


def begin(
    session: Session, caller: Caller, verb: str, given: dict[str, Any], wanted: Filter, rate: float | None = None
) -> BulkAction:
    """Have an act done to all jobs of a filter that were accepted until now. `rate` is in jobs a second.

    A purge cancels what waits of a queue, and leaves alone what runs.
    """
    now = clock.now()
    purges = verb == "purge" and wanted.queue is not None
    expected = waiting(session, caller.tenant, wanted.queue) if purges else preview(session, caller.tenant, wanted)
    action = BulkAction(
        id=uuid7(),
        tenant=caller.tenant,
        verb=verb,
        given=given,
        wanted=wanted.to_json(),
        rate=rate,
        state="running",
        expected=expected.count,
        done=0,
        skipped=0,
        cursor=uuid7(),
        next_at=now,
        made_by=caller.key_id,
        created_at=now,
    )
    session.add(action)
    session.flush()
    audit.note(session, caller, f"bulk.{verb}", action.id, filter=action.wanted, **given)
    return action


def preview(session: Session, tenant: str, wanted: Filter) -> Count:
    """How many jobs would be met, counted as far as is cheap."""
    return search.count(session, tenant, wanted)


def waiting(session: Session, tenant: str, queue: str | None) -> Count:
    """How many jobs a purge of the queue would cancel, counted as far as is cheap."""
    count = queries.how_many(session, _waiting(tenant, queue, uuid7(), search.COUNTED))
    return Count(count, exact=count < search.COUNTED)


def get(session: Session, tenant: str, action_id: UUID) -> BulkAction:
    """One bulk action.

    Raises:
        ActionNotFound: there is none, or it is another tenant's.
    """
    found = select(BulkAction).where(BulkAction.tenant == tenant, BulkAction.id == action_id)
    action = session.scalars(found).one_or_none()
    if action is None:
        raise ActionNotFound(action_id)
    return action


def listed(session: Session, tenant: str, limit: int = 50) -> Sequence[BulkAction]:
    """The last bulk actions, newest first."""
    query = select(BulkAction).where(BulkAction.tenant == tenant)
    return session.scalars(query.order_by(BulkAction.id.desc()).limit(limit)).all()


def abort(session: Session, caller: Caller, action_id: UUID) -> BulkAction:
    """Stop before the next batch. What was done stays done.

    Raises:
        ActionNotFound: there is none, or it is another tenant's.
        MoveRefused: it does not run.
    """
    return _turn(session, caller, action_id, "running", state="aborted", finished_at=clock.now())


def resume(session: Session, caller: Caller, action_id: UUID) -> BulkAction:
    """Go on where it was aborted.

    Raises:
        ActionNotFound: there is none, or it is another tenant's.
        MoveRefused: it was not aborted.
    """
    return _turn(session, caller, action_id, "aborted", state="running", finished_at=None, next_at=clock.now())


def _turn(session: Session, caller: Caller, action_id: UUID, source: str, **values: Any) -> BulkAction:
    found = get(session, caller.tenant, action_id)
    statement = update(BulkAction).where(BulkAction.id == action_id, BulkAction.state == source).values(**values)
    options = {"synchronize_session": False, "populate_existing": True}
    turned = session.scalars(statement.returning(BulkAction), execution_options=options).one_or_none()
    if turned is None:
        raise MoveRefused("this", found.state, "bulk action")
    audit.note(session, caller, f"bulk.{values['state']}", action_id)
    return turned


def running(now: datetime) -> list[UUID]:
    """The bulk actions whose next batch is due: an idle scheduler's question."""
    return [action_id for (action_id,) in ask(_DUE.where(BulkAction.next_at <= now))]


def step(session: Session, action_id: UUID, now: datetime) -> bool:
    """Do the next batch. False if there is nothing to do now: it has ended, or another scheduler is at it."""
    due = select(BulkAction).where(BulkAction.id == action_id, BulkAction.state == "running", BulkAction.next_at <= now)
    action = session.scalars(due.with_for_update(skip_locked=True)).one_or_none()
    if action is None:
        return False
    size = BATCH if action.rate is None else max(1, min(BATCH, int(action.rate)))
    ids, reached = _next(session, action, size)
    done = len(_do(session, action, ids, now)) if ids else 0
    action.done += done
    action.skipped += len(ids) - done
    if action.rate is not None:
        action.next_at = now + timedelta(seconds=len(ids) / action.rate)
    if reached is None:
        action.state, action.finished_at = "finished", now
    else:
        action.cursor = reached
    return reached is not None


def _next(session: Session, action: BulkAction, size: int) -> tuple[Sequence[UUID], UUID | None]:
    wanted = Filter.from_json(action.wanted)
    if action.verb != "purge":
        return search.next_ids(session, action.tenant, wanted, action.cursor, size)
    ids = session.scalars(_waiting(action.tenant, wanted.queue, action.cursor, size)).all()
    return ids, action.cursor if len(ids) == size else None  # what is purged waits no more, so the next are others


def _waiting(tenant: str, queue: str | None, before: UUID, most: int) -> Select[UUID]:
    """The jobs of a queue that wait, each kind by its own small index, however long the history is."""
    scheduled = Job.state == State.SCHEDULED, Job.parked_at.is_(None)
    kinds = scheduled, (Job.parked_at.is_not(None),), (Job.state == State.QUEUED,)
    its = Job.queue == queue, Job.tenant == tenant, Job.id < before
    found = (select(Job.id).where(*kind, *its).limit(most).subquery() for kind in kinds)
    every = union_all(*(select(part.c.id) for part in found)).subquery()
    return select(every.c.id).limit(most)


def _do(session: Session, action: BulkAction, ids: Sequence[UUID], now: datetime) -> Sequence[Job]:
    match action.verb:
        case "retry":
            return store.revive_all(session, ids, now)
        case "cancel":
            return store.cancel_all(session, ids, now)
        case "purge":
            return store.drop_all(session, ids, now)
        case "reschedule":
            return store.amend_all(session, ids, run_at=datetime.fromisoformat(action.given["run_at"]))
        case "prioritise":
            return store.amend_all(session, ids, priority=action.given["priority"])
    raise Invalid.at("/verb", f"There is no verb {action.verb!r}.")
