"""What events set off: subscriptions make jobs, endpoints are told; and the sources that providers post to."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from jobs.model.columns import DEFAULT_TENANT, Words
from runtime.database import Base


class Subscription(Base):
    """Each event that fits makes a job."""

    __tablename__ = "subscriptions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64), default=DEFAULT_TENANT)
    name: Mapped[str] = mapped_column(sa.String(128))
    types: Mapped[list[str]] = mapped_column(sa.JSON)
    where: Mapped[dict[str, Any]] = mapped_column("filter", sa.JSON)
    task: Mapped[str] = mapped_column(sa.String(128))
    payload: Mapped[Any] = mapped_column(sa.JSON)
    queue: Mapped[str] = mapped_column(sa.String(64))
    priority: Mapped[int] = mapped_column(sa.SmallInteger)
    delay: Mapped[timedelta]
    timeout: Mapped[timedelta]
    retry: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    tags: Mapped[list[str]] = mapped_column(sa.JSON)
    paused_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(default=1)

    __table_args__ = (sa.UniqueConstraint("tenant", "name", name="subscription_name"),)


class Endpoint(Base):
    """A URL of someone else's, told of each event that fits, by a signed webhook."""

    __tablename__ = "endpoints"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64), default=DEFAULT_TENANT)
    url: Mapped[str] = mapped_column(sa.String(2048))
    description: Mapped[str] = mapped_column(sa.String(500))
    types: Mapped[list[str]] = mapped_column(sa.JSON)
    where: Mapped[dict[str, Any]] = mapped_column("filter", sa.JSON)
    headers: Mapped[dict[str, str]] = mapped_column(sa.JSON)
    secrets: Mapped[list[dict[str, str | None]]] = mapped_column(sa.JSON)  # newest first: {"secret", "until"}
    failing_since: Mapped[datetime | None]  # the first of the failures since the last success
    disabled_at: Mapped[datetime | None]
    disabled_why: Mapped[str | None] = mapped_column(Words(200))
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        CheckConstraint("(disabled_at IS NULL) = (disabled_why IS NULL)", name="why_when_disabled"),
        sa.Index("endpoints_by_tenant", "tenant", "id"),
    )


class Source(Base):
    """A provider whose webhooks we take: how it signs, and with what."""

    __tablename__ = "sources"

    tenant: Mapped[str] = mapped_column(sa.String(64), default=DEFAULT_TENANT)
    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)  # of the path: one house over all tenants
    kind: Mapped[str] = mapped_column(sa.String(32))
    secrets: Mapped[list[str]] = mapped_column(sa.JSON)  # any may have signed: two during a rotation
    options: Mapped[dict[str, str]] = mapped_column(sa.JSON)
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(default=1)
