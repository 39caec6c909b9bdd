"""The recorded events: put in once by source and id, found again, listed, forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from jobs.arrival import Arrival
from jobs.errors import EventNotFound
from jobs.model import Event, Job
from runtime.prepared import inserting

Row = dict[str, Any]
_NAMES = (
    "id", "tenant", "source", "source_id", "type", "subject", "at", "data", "attributes", "received_at", "matched", "depth",
    "about", "nonce",
)  # fmt: skip
_values = itemgetter(*_NAMES)
_INSERT = inserting(Event, *_NAMES, once=True)


@dataclass(frozen=True)
class Wanted:
    """Which events a list shows. None means any."""

    type: str | None = None
    dead: bool = False
    since: datetime | None = None  # received then or later
    until: datetime | None = None  # received before


def row(arrival: Arrival, tenant: str, now: datetime, matched: int) -> Row:
    """The values of an event's row."""
    return {
        "id": uuid7(),
        "tenant": tenant,
        "source": arrival.source,
        "source_id": arrival.source_id,
        "type": arrival.type,
        "subject": arrival.subject,
        "at": arrival.at,
        "data": arrival.data,
        "attributes": arrival.attributes,
        "received_at": now,
        "matched": matched,
        "depth": arrival.depth,
        "about": arrival.about,
        "nonce": arrival.nonce,
    }


def put(session: Session, rows: Sequence[Row]) -> set[UUID]:
    """Insert what is new; returns the ids of that."""
    if not rows:
        return set()
    connection, ids = session.connection(), {row["id"] for row in rows}
    in_order = sorted(rows, key=itemgetter("source", "source_id"))  # two batches must not lock crosswise
    if _INSERT.execute(connection, map(_values, in_order)) == len(rows):
        return ids
    return set(connection.scalars(select(Event.id).where(Event.id.in_(ids))))


def recall(session: Session, tenant: str, keys: set[tuple[str, str]]) -> Sequence[Event]:
    """The events of these sources and ids."""
    if not keys:
        return ()
    same = tuple_(Event.source, Event.source_id).in_(keys)
    return session.scalars(select(Event).where(Event.tenant == tenant, same)).all()


def get(session: Session, tenant: str, event_id: UUID) -> Event:
    """One event.

    Raises:
        EventNotFound: there is none, or it is another tenant's.
    """
    event = session.scalars(select(Event).where(Event.tenant == tenant, Event.id == event_id)).one_or_none()
    if event is None:
        raise EventNotFound(event_id)
    return event


def page(session: Session, tenant: str, wanted: Wanted, limit: int, before: UUID | None = None) -> Sequence[Event]:
    """Events, newest first, those before an id."""
    query = select(Event).where(Event.tenant == tenant)
    if wanted.type is not None:
        query = query.where(Event.type == wanted.type)
    if wanted.dead:
        query = query.where(Event.matched == 0)
    if wanted.since is not None:
        query = query.where(Event.id >= _first_id(wanted.since))
    if wanted.until is not None:
        query = query.where(Event.id < _first_id(wanted.until))
    if before is not None:
        query = query.where(Event.id < before)
    return session.scalars(query.order_by(Event.id.desc()).limit(limit)).all()


def jobs_of(session: Session, event_ids: Sequence[UUID], limit: int = 1000) -> dict[UUID, list[Job]]:
    """The jobs that events set off, oldest first."""
    found: dict[UUID, list[Job]] = {}
    for job in session.scalars(select(Job).where(Job.event_id.in_(event_ids)).order_by(Job.id).limit(limit)):
        found.setdefault(job.event_id, []).append(job)  # type: ignore[arg-type]  # the query asked for it
    return found


def forget(session: Session, before: datetime, limit: int) -> int:
    """Delete events that were received before an instant, `limit` at most. Returns how many went."""
    old = select(Event.id).where(Event.id < _first_id(before)).order_by(Event.id).limit(limit)
    return session.execute(delete(Event).where(Event.id.in_(old))).rowcount  # type: ignore[attr-defined,no-any-return]


def _first_id(instant: datetime) -> UUID:
    """The lowest UUIDv7 of an instant: ids are in the order of reception."""
    return UUID(int=(int(instant.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62))
