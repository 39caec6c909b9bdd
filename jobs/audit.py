"""Who did what: an entry for each thing done by hand, in the transaction that does it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from jobs.keys import Caller
from jobs.model import Deed
from runtime import clock


def note(session: Session, caller: Caller, what: str, about: object, **detail: Any) -> None:
    """Note that the caller did something, such as "job.cancel"."""
    session.add(
        Deed(
            id=uuid7(),
            tenant=caller.tenant,
            at=clock.now(),
            who=caller.key_id,
            what=what,
            about=str(about),
            detail=detail if caller.subject is None else {"subject": caller.subject, **detail},
            request_id=caller.request_id,
        )
    )


def entries(
    session: Session, tenant: str, about: str | None = None, before: UUID | None = None, limit: int = 50
) -> Sequence[Deed]:
    """What was done, newest first; to one thing, if `about` names it."""
    query = select(Deed).where(Deed.tenant == tenant)
    if about is not None:
        query = query.where(Deed.about == about)
    if before is not None:
        query = query.where(Deed.id < before)
    return session.scalars(query.order_by(Deed.id.desc()).limit(limit)).all()
