"""Endpoints: who is told of events, with which secrets; how they fare, and what becomes of those that only fail.

An endpoint that has failed for `endpoint_patience` without one success, or that answers 410, is disabled, and an event says
so. Its deliveries are made all the same, and wait. Enabling it sends them on, and revives those that had been given up.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from jobs import outbox, store, webhooks
from jobs.errors import RuleNotFound
from jobs.matching import filters, patterns, rulebook
from jobs.model import Endpoint, Job
from jobs.states import State
from jobs.submit import submit
from runtime import clock
from runtime.settings import settings

PING = "endpoint.ping"
REVIVED = 1000  # dead deliveries that one call brings back


def new_secret() -> str:
    """A signing secret, as Standard Webhooks spells them."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def live_secrets(endpoint: Endpoint, now: datetime) -> list[str]:
    """Those that sign now, newest first: two during a rotation."""
    return [str(each["secret"]) for each in endpoint.secrets if _is_live(each, now)]


def check(endpoint: Endpoint) -> None:
    """Whether it can work.

    Raises:
        Invalid: a pattern or the filter is none.
    """
    for at, pattern in enumerate(endpoint.types):
        patterns.check(pattern, f"/types/{at}")
    filters.compiled(endpoint.where)


def add(session: Session, endpoint: Endpoint) -> None:
    """Store a new endpoint.

    Raises:
        Invalid: see `check`.
    """
    check(endpoint)
    session.add(endpoint)
    session.flush()
    rulebook.changed(session, endpoint.tenant)


def get(session: Session, tenant: str, endpoint_id: UUID) -> Endpoint:
    """One endpoint.

    Raises:
        RuleNotFound: there is none, or it is another tenant's.
    """
    found = session.scalars(select(Endpoint).where(Endpoint.tenant == tenant, Endpoint.id == endpoint_id)).one_or_none()
    if found is None:
        raise RuleNotFound("endpoint", endpoint_id)
    return found


def listed(session: Session, tenant: str) -> Sequence[Endpoint]:
    """All endpoints of a tenant, oldest first."""
    return session.scalars(select(Endpoint).where(Endpoint.tenant == tenant).order_by(Endpoint.id)).all()


def change(session: Session, endpoint: Endpoint, **values: Any) -> None:
    """Change an endpoint. Deliveries that wait go to the new URL.

    Raises:
        Invalid: see `check`.
    """
    for name, value in values.items():
        setattr(endpoint, name, value)
    check(endpoint)
    endpoint.revision += 1
    session.flush()
    rulebook.changed(session, endpoint.tenant)


def remove(session: Session, tenant: str, endpoint_id: UUID) -> None:
    """Delete an endpoint. Deliveries that wait will find it gone, and fail.

    Raises:
        RuleNotFound: there is none.
    """
    session.delete(get(session, tenant, endpoint_id))
    rulebook.changed(session, tenant)


def rotate(session: Session, endpoint: Endpoint, secret: str, overlap: timedelta) -> None:
    """Sign with a new secret; the one before signs beside it until the overlap is over."""
    now = clock.now()
    before = [{**each, "until": (now + overlap).isoformat()} for each in endpoint.secrets if each["until"] is None]
    change(session, endpoint, secrets=[{"secret": secret, "until": None}, *before])


def ping(session: Session, endpoint: Endpoint) -> Job:
    """Deliver a test event to this endpoint alone."""
    payload = webhooks.payload(PING, uuid7(), clock.now(), {"endpoint_id": str(endpoint.id)}, endpoint=endpoint.id)
    return submit(session, webhooks.order(payload, tenant=endpoint.tenant, endpoint_id=endpoint.id)).job


def deliveries(session: Session, endpoint_id: UUID, limit: int, before: UUID | None = None) -> Sequence[Job]:
    """An endpoint's deliveries, newest first."""
    query = select(Job).where(Job.endpoint_id == endpoint_id)
    if before is not None:
        query = query.where(Job.id < before)
    return session.scalars(query.order_by(Job.id.desc()).limit(limit)).all()


def enable(session: Session, endpoint: Endpoint) -> int:
    """Take up an endpoint again: what waits for it may go at once, and what it failed since it began to fail is revived.

    Returns how many were revived, at most REVIVED: ask again while it is that many.
    """
    now, since = clock.now(), endpoint.failing_since or endpoint.disabled_at
    if endpoint.disabled_at is not None:
        outbox.tell(session, "endpoint.enabled", _about(endpoint), str(endpoint.id), endpoint.tenant)
    its = Job.endpoint_id == endpoint.id, Job.state == State.FAILED
    dead = session.scalars(select(Job.id).where(*its, Job.finished_at >= since).limit(REVIVED)) if since else ()
    revived = [job_id for job_id in dead if store.revive(session, job_id, now)]
    if len(revived) < REVIVED:  # else its failures are still to be looked through
        endpoint.failing_since = None
    endpoint.disabled_at, endpoint.disabled_why = None, None
    store.hasten(session, now, Job.endpoint_id == endpoint.id)
    return len(revived)


def disable(session: Session, endpoint: Endpoint, why: str) -> None:
    """Tell an endpoint nothing until it is enabled; its deliveries wait."""
    now = clock.now()
    stopped = update(Endpoint).where(Endpoint.id == endpoint.id, Endpoint.disabled_at.is_(None))
    if session.execute(stopped.values(disabled_at=now, disabled_why=why[:200])).rowcount == 1:  # type: ignore[attr-defined]
        outbox.tell(session, "endpoint.disabled", _about(endpoint) | {"why": why[:200]}, str(endpoint.id), endpoint.tenant)


def answered(session: Session, endpoint: Endpoint) -> None:
    """It took a delivery: what failed before is forgiven."""
    session.execute(update(Endpoint).where(Endpoint.id == endpoint.id).values(failing_since=None))


def failed(session: Session, endpoint: Endpoint, why: str, *, gone: bool) -> None:
    """It refused a delivery, or could not be reached. `gone`: it wants no more, for good."""
    now, mine = clock.now(), Endpoint.id == endpoint.id
    session.execute(update(Endpoint).where(mine, Endpoint.failing_since.is_(None)).values(failing_since=now))
    since = session.scalars(select(Endpoint.failing_since).where(mine)).one_or_none()
    if gone or (since is not None and now - since >= settings().endpoint_patience):
        disable(session, endpoint, why)


def _is_live(secret: dict[str, str | None], now: datetime) -> bool:
    return secret["until"] is None or datetime.fromisoformat(secret["until"]) > now


def _about(endpoint: Endpoint) -> dict[str, Any]:
    since = endpoint.failing_since.isoformat() if endpoint.failing_since else None
    return {"endpoint_id": str(endpoint.id), "description": endpoint.description, "failing_since": since}
