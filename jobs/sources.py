"""Sources: the providers whose webhooks are taken, and what their posts become."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs import events
from jobs.arrival import Arrival
from jobs.errors import RuleExists, RuleNotFound
from jobs.events import Recorded
from jobs.model import Source
from jobs.order import Order
from jobs.submit import submit


def add(session: Session, source: Source) -> None:
    """Store a new source, checked by the caller.

    Raises:
        RuleExists: the name is taken, be it by another tenant: it is part of a public path.
    """
    if session.get(Source, source.name) is not None:
        raise RuleExists("source", source.name)
    session.add(source)


def find(session: Session, name: str) -> Source:
    """The source of a hook's path, whosever it is.

    Raises:
        RuleNotFound: there is none.
    """
    found = session.get(Source, name)
    if found is None:
        raise RuleNotFound("source", name)
    return found


def get(session: Session, tenant: str, name: str) -> Source:
    """One source of a tenant.

    Raises:
        RuleNotFound: there is none.
    """
    found = find(session, name)
    if found.tenant != tenant:
        raise RuleNotFound("source", name)
    return found


def listed(session: Session, tenant: str) -> Sequence[Source]:
    """All sources of a tenant, by name."""
    return session.scalars(select(Source).where(Source.tenant == tenant).order_by(Source.name)).all()


def change(source: Source, **values: Any) -> None:
    """Change a source; what is posted from now on is judged so."""
    for name, value in values.items():
        setattr(source, name, value)
    source.revision += 1


def receive(
    session: Session, source: Source, arrivals: Sequence[Arrival], visits: Sequence[str], request_id: str
) -> list[Recorded]:
    """Record what a source posted. `visits` are addresses that it wants called, to confirm that we want its posts.

    Raises:
        Forged: a signature's nonce was used before for another event.
    """
    recorded = events.record(session, arrivals, source.tenant, request_id)
    if not all(each.duplicate for each in recorded):
        for url in visits:
            payload = {"method": "GET", "url": url}
            submit(
                session, Order("http.request", payload, "default", tenant=source.tenant, metadata={"source": source.name})
            )
    return recorded
