"""From the outbox to those who listen: a notice becomes an event of ours, and a delivery to the URL that its job named."""

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from jobs import events, webhooks
from jobs.arrival import OURS, Arrival
from jobs.model import Event, Notice
from jobs.order import Order
from jobs.submit import submit_many
from runtime.database import ask

log = structlog.get_logger()

DEEPEST = 8
"""How far events about jobs that events made may follow one another before a circle of rules is cut."""

_FIRST = select(Notice.id).limit(1)


def anything_waits() -> bool:
    """Whether any notice waits: an idle scheduler's question."""
    return bool(ask(_FIRST))


def publish(session: Session, limit: int) -> int:
    """Publish the oldest notices, in one transaction with their leaving the outbox. Returns how many there were."""
    oldest = select(Notice).order_by(Notice.id).limit(limit).with_for_update(skip_locked=True)
    notices = session.scalars(oldest).all()
    if not notices:
        return 0
    depths = _depths(session, [notice.event_id for notice in notices if notice.event_id])
    for tenant in {notice.tenant for notice in notices}:
        of_tenant = [notice for notice in notices if notice.tenant == tenant and notice.heard]
        arrivals = [_arrival(notice, depths.get(notice.event_id, -1) + 1) for notice in of_tenant]
        events.record(session, [arrival for arrival in arrivals if _is_shallow(arrival)], tenant)
    calls = [_call(notice) for notice in notices if notice.callback]
    submit_many(session, [(call, None) for call in calls])
    session.execute(delete(Notice).where(Notice.id.in_([notice.id for notice in notices])))
    return len(notices)


def _arrival(notice: Notice, depth: int) -> Arrival:
    return Arrival(notice.type, OURS, str(notice.id), notice.data, notice.subject, notice.at, depth=depth)


def _is_shallow(arrival: Arrival) -> bool:
    if arrival.depth > DEEPEST:
        log.error("an event is not published: rules set one another off in a circle", type=arrival.type, job=arrival.subject)
    return arrival.depth <= DEEPEST


def _depths(session: Session, event_ids: Sequence[UUID]) -> dict[UUID | None, int]:
    """How deep the events lie that made the jobs."""
    found = session.execute(select(Event.id, Event.depth).where(Event.id.in_(event_ids))) if event_ids else ()
    return {event_id: depth for event_id, depth in found}  # noqa: C416 - a Row is a tuple, but not to mypy


def _call(notice: Notice) -> Order:
    payload = webhooks.payload(notice.type, notice.id, notice.at, notice.data, url=notice.callback)
    said = {"event": notice.type, "job": notice.subject or ""}
    return webhooks.order(payload, tenant=notice.tenant, metadata=said)
