"""The lanes, and the workers on them."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from jobs.model.columns import partial
from runtime.database import Base


class Queue(Base):
    """A lane. Its pause and its limits are stored here and so outlive every restart."""

    __tablename__ = "queues"

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    paused_at: Mapped[datetime | None]
    max_running: Mapped[int | None]  # jobs at once
    rate: Mapped[float | None] = mapped_column(sa.Double)  # starts a second
    paced_to: Mapped[datetime | None]  # the rate is used up until then


class Worker(Base):
    """One process that runs attempts. `beats` rises with each renewal of its lease; jobs running here name this row."""

    __tablename__ = "workers"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(255))
    pool: Mapped[str] = mapped_column(sa.String(16))
    queues: Mapped[list[str]] = mapped_column(sa.JSON)
    slots: Mapped[int]
    beats: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime]
    beat_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]

    __table_args__ = (partial("workers_live", "stopped_at IS NULL", "beat_at"),)
