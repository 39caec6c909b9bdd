"""Who calls, and what they called with before."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from jobs.model.columns import DEFAULT_TENANT
from runtime.database import Base, Instant


class ApiKey(Base):
    """A caller's key: only digests of its secrets are kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64), default=DEFAULT_TENANT)
    name: Mapped[str] = mapped_column(sa.String(128))
    scope: Mapped[str] = mapped_column(sa.String(10))
    digest: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    tasks: Mapped[list[str] | None] = mapped_column(sa.JSON(none_as_null=True))  # patterns of the tasks that it reaches
    queues: Mapped[list[str] | None] = mapped_column(sa.JSON(none_as_null=True))  # and of the queues; null: all
    blind: Mapped[bool | None]  # payloads, results and errors are hidden from it
    quota: Mapped[int | None]  # requests a minute; null: the setting's
    digest_before: Mapped[str | None] = mapped_column(sa.String(64))  # of the secret that the last rotation replaced
    before_until: Mapped[datetime | None]  # which is taken until then

    __table_args__ = (CheckConstraint("scope IN ('read', 'operate', 'write', 'admin')", name="scope_known"),)


class IdempotencyKey(Base):
    """A key that a caller sent with a request, and the job it made."""

    __tablename__ = "idempotency_keys"

    tenant: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    digest: Mapped[str] = mapped_column(sa.String(64))
    job_id: Mapped[UUID]
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)


class Place(Base):
    """A place that one job of a task holds at a time. Whether it still does is judged when another asks for it."""

    __tablename__ = "places"

    tenant: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    task: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"), index=True
    )
    scope: Mapped[str] = mapped_column(sa.String(10))
    until: Mapped[datetime]
