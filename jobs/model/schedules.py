"""Schedules, and each of their due times."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from jobs.model.columns import DEFAULT_TENANT, partial
from runtime.database import Base, Instant


class Schedule(Base):
    """When a job is made again and again."""

    __tablename__ = "schedules"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64), default=DEFAULT_TENANT)
    name: Mapped[str] = mapped_column(sa.String(128))
    task: Mapped[str] = mapped_column(sa.String(128))
    payload: Mapped[Any] = mapped_column(sa.JSON)
    queue: Mapped[str] = mapped_column(sa.String(64))
    priority: Mapped[int] = mapped_column(sa.SmallInteger)
    tags: Mapped[list[str]] = mapped_column(sa.JSON)
    retry: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    timeout: Mapped[timedelta]
    cron: Mapped[str | None] = mapped_column(sa.String(120))
    every: Mapped[timedelta | None]
    zone: Mapped[str] = mapped_column(sa.String(64))
    catch_up: Mapped[timedelta]
    anchor_at: Mapped[datetime]  # an interval counts from here
    next_at: Mapped[datetime | None]  # null while paused
    last_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        sa.UniqueConstraint("tenant", "name", name="schedule_name"),
        CheckConstraint("(cron IS NULL) <> (every IS NULL)", name="cron_or_every"),
        CheckConstraint("(paused_at IS NULL) = (next_at IS NOT NULL)", name="next_unless_paused"),
        partial("schedules_due", "next_at IS NOT NULL", "next_at"),
    )


class Tick(Base):
    """One due time of a schedule. Its key is what makes each tick one job, however many schedulers run."""

    __tablename__ = "ticks"

    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    job_id: Mapped[UUID | None]  # null: skipped, too long missed
