"""One job where several were asked for: who holds the place, and what becomes of the newcomer."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs import store
from jobs.errors import NotUnique
from jobs.model import Job, Place
from jobs.order import OnConflict, Order, Scope, Unique
from jobs.states import OPEN
from runtime.database import insert


def take(session: Session, order: Order, wish: Unique, job_id: UUID, now: datetime) -> Job | None:
    """Take the order's place for the job `job_id`, or return the job that holds it, changed as the order wants it.

    Raises:
        NotUnique: the holder stands in the way: the order wants no other job, or a change that comes too late.
    """
    row = {
        "tenant": order.tenant,
        "task": order.task,
        "key": wish.key,
        "job_id": job_id,
        "scope": wish.scope,
        "until": now + wish.window,
    }
    taken = insert(session, Place).values(row).on_conflict_do_nothing().returning(Place.key)
    if session.scalars(taken).one_or_none() is not None:
        return None
    where = Place.tenant == order.tenant, Place.task == order.task, Place.key == wish.key
    place = session.scalars(select(Place).where(*where).with_for_update()).one()
    holder = session.scalars(select(Job).where(Job.id == place.job_id)).one()
    if not _holds(place, holder, now):
        place.job_id, place.scope, place.until = job_id, wish.scope, now + wish.window
        session.flush()
        return None
    return _give_way(session, order, wish, holder, now)


def _holds(place: Place, holder: Job, now: datetime) -> bool:
    match Scope(place.scope):
        case Scope.WAITING:
            return holder.state in OPEN and holder.epoch == 0
        case Scope.OPEN:
            return holder.state in OPEN
        case Scope.WINDOW:
            return now < place.until


def _give_way(session: Session, order: Order, wish: Unique, holder: Job, now: datetime) -> Job:
    payload, time = {"payload": order.payload}, {"run_at": order.run_at or now, "expires_at": order.expires_at}
    match wish.on_conflict:
        case OnConflict.RETURN:
            return holder
        case OnConflict.REJECT:
            changes = None
        case OnConflict.REPLACE:
            changes = payload
        case OnConflict.EXTEND:
            changes = time
        case OnConflict.DEBOUNCE:
            changes = payload | time
    changed = store.amend(session, holder.id, Job.epoch == 0, **changes) if changes else None
    if changed is None:
        raise NotUnique(holder.id, holder.state, wish.on_conflict)
    return changed
