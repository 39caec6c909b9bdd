"""Events: what happened, as others told us or as we tell it ourselves."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from jobs.model.columns import DEFAULT_TENANT, partial
from runtime.database import Base


class Event(Base):
    """Something that happened, recorded once by its source and the id that its source gave it."""

    __tablename__ = "events"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # UUIDv7: ordered by reception
    tenant: Mapped[str] = mapped_column(sa.String(64), default=DEFAULT_TENANT)
    source: Mapped[str] = mapped_column(sa.String(512))
    source_id: Mapped[str] = mapped_column(sa.String(255))
    type: Mapped[str] = mapped_column(sa.String(255))
    subject: Mapped[str | None] = mapped_column(sa.String(512))
    at: Mapped[datetime | None]  # when it happened, by its source's clock
    data: Mapped[Any | None] = mapped_column(sa.JSON(none_as_null=True))
    attributes: Mapped[dict[str, Any]] = mapped_column(sa.JSON)  # the other attributes of CloudEvents, extensions among them
    received_at: Mapped[datetime]
    matched: Mapped[int]  # rules that it set off; 0: a dead event
    depth: Mapped[int] = mapped_column(sa.SmallInteger, default=0)  # events about jobs of events about jobs
    about: Mapped[UUID | None]  # the job of ours that a provider tells of
    nonce: Mapped[str | None] = mapped_column(sa.String(128))  # spent by a signature that does not cover the body

    __table_args__ = (
        sa.UniqueConstraint("tenant", "source", "source_id", name="event_once"),
        sa.UniqueConstraint("tenant", "source", "nonce", name="event_nonce_once"),
        Index("events_by_tenant", "tenant", "id"),
        Index("events_by_type", "tenant", "type", "id"),
        partial("events_dead", "matched = 0", "tenant", "id"),
        partial("events_about", "about IS NOT NULL", "about", "id"),
    )


class Notice(Base):
    """An event of our own, written by the transaction that made it true; the scheduler turns it into an event."""

    __tablename__ = "outbox"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # becomes the event's source_id
    tenant: Mapped[str] = mapped_column(sa.String(64))
    type: Mapped[str] = mapped_column(sa.String(255))
    subject: Mapped[str | None] = mapped_column(sa.String(512))
    at: Mapped[datetime]
    data: Mapped[Any] = mapped_column(sa.JSON)
    callback: Mapped[str | None] = mapped_column(sa.String(2048))  # the URL that the job itself named
    heard: Mapped[bool]  # whether a rule listens, beside the callback
    event_id: Mapped[UUID | None]  # the event that made the job


class Rulebook(Base):
    """The edition of a tenant's subscriptions and endpoints: another one says that they were changed."""

    __tablename__ = "rulebooks"

    tenant: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    edition: Mapped[UUID]
