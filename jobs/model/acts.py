"""What people did by hand: to one thing, or to many jobs at once."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from jobs.model.columns import DEFAULT_TENANT, partial
from runtime.database import Base


class BulkAction(Base):
    """Something done to all jobs of a filter, newest first, a batch at a time. `cursor` is the last job that was reached."""

    __tablename__ = "bulk_actions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64), default=DEFAULT_TENANT)
    verb: Mapped[str] = mapped_column(sa.String(16))
    given: Mapped[dict[str, Any]] = mapped_column(sa.JSON)  # what the verb needs: a time, a priority
    wanted: Mapped[dict[str, Any]] = mapped_column(sa.JSON)  # the filter, as the caller wrote it
    rate: Mapped[float | None] = mapped_column(sa.Double)  # jobs a second, at most
    state: Mapped[str] = mapped_column(sa.String(10))
    expected: Mapped[int]  # how many were meant when it was made, as far as was counted
    done: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)  # met, but no longer in a state that allows it
    cursor: Mapped[UUID]
    next_at: Mapped[datetime]  # the next batch is due
    made_by: Mapped[str] = mapped_column(sa.String(16))  # the key's id
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("state IN ('running', 'aborted', 'finished')", name="state_known"),
        CheckConstraint("(finished_at IS NULL) = (state = 'running')", name="finished_unless_running"),
        partial("bulk_actions_due", "state = 'running'", "next_at"),
        Index("bulk_actions_by_tenant", "tenant", "id"),
    )


class Deed(Base):
    """An entry of the audit log: who did what to what, and when."""

    __tablename__ = "deeds"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # UUIDv7: in the order of time
    tenant: Mapped[str] = mapped_column(sa.String(64), default=DEFAULT_TENANT)
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(sa.String(16))  # the key's id
    what: Mapped[str] = mapped_column(sa.String(32))
    about: Mapped[str] = mapped_column(sa.String(255))  # the id or the name
    detail: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    request_id: Mapped[str | None] = mapped_column(sa.String(128))

    __table_args__ = (
        Index("deeds_by_tenant", "tenant", "id"),
        Index("deeds_by_subject", "tenant", "about", "id"),
    )
