"""The tables. A job is a row; so is each attempt at it. The database itself refuses rows that cannot be."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.states import FINAL, Ending, Reason, State
from runtime.database import Base, Instant

DEFAULT_TENANT = "default"


def _words(kind: type[StrEnum], length: int = 16) -> sa.Enum:
    """A closed set of words as text with a CHECK: readable in SQL, and extended by a plain migration."""
    return sa.Enum(
        kind,
        native_enum=False,
        length=length,
        create_constraint=True,
        name=kind.__name__.lower(),
        values_callable=lambda e: [str(m) for m in e],
    )


def _listed(states: frozenset[State]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


def _partial(name: str, where: str, *columns: str) -> Index:
    """An index over the rows that a hot query asks for, and no others."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class Words(sa.types.TypeDecorator[str]):
    """What a task said: kept without NUL and half surrogate pairs, which a database's text cannot hold."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, _: sa.Dialect) -> str | None:
        return None if value is None else value.replace("\x00", "").encode(errors="replace").decode()


class Lines(Words):
    """The same, of any length."""

    impl = sa.Text
    cache_ok = True


class Job(Base):
    """One request to do a task: the truth about it."""

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # UUIDv7: ordered by acceptance
    tenant: Mapped[str] = mapped_column(sa.String(64), default=DEFAULT_TENANT)
    task: Mapped[str] = mapped_column(sa.String(128))
    queue: Mapped[str] = mapped_column(sa.String(64))
    priority: Mapped[int] = mapped_column(sa.SmallInteger)
    payload: Mapped[Any] = mapped_column(sa.JSON)
    tags: Mapped[list[str]] = mapped_column(sa.JSON)
    meta: Mapped[dict[str, str]] = mapped_column("metadata", sa.JSON)
    retry: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    timeout: Mapped[timedelta]

    state: Mapped[State] = mapped_column(_words(State))
    reason: Mapped[Reason | None] = mapped_column(_words(Reason))
    epoch: Mapped[int] = mapped_column(default=0)  # counts claims: the fencing number of every later write
    attempt: Mapped[int] = mapped_column(default=0)  # counts real tries
    budget_from: Mapped[int] = mapped_column(default=0)  # the attempts before the last retry by hand
    budget_at: Mapped[datetime]  # when the present budget began
    crashes: Mapped[int] = mapped_column(default=0)  # workers that died under it
    worker: Mapped[UUID | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)

    created_at: Mapped[datetime]
    run_at: Mapped[datetime]  # not before
    hinted_at: Mapped[datetime | None]  # when the hint was last sent to the broker
    started_at: Mapped[datetime | None]  # of the present or last attempt
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]

    result: Mapped[Any | None] = mapped_column(sa.JSON(none_as_null=True))
    error: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    progress: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    waits_for: Mapped[str | None] = mapped_column(Words(200))  # why a snoozed job waits, in words
    schedule_id: Mapped[UUID | None]
    request_id: Mapped[str | None] = mapped_column(sa.String(128))
    traceparent: Mapped[str | None] = mapped_column(sa.String(64))

    __table_args__ = (
        CheckConstraint(f"(finished_at IS NOT NULL) = (state IN ({_listed(FINAL)}))", name="finished_when_final"),
        CheckConstraint("(worker IS NOT NULL) = (state = 'running')", name="worker_when_running"),
        CheckConstraint("(reason IS NOT NULL) = (state = 'failed')", name="reason_when_failed"),
        CheckConstraint("state <> 'queued' OR hinted_at IS NOT NULL", name="hinted_when_queued"),
        CheckConstraint("attempt >= budget_from AND epoch >= attempt", name="counts"),
        CheckConstraint("priority BETWEEN 0 AND 3", name="priority_range"),
        _partial("jobs_due", "state = 'scheduled'", "queue", "priority", "run_at", "id"),
        _partial("jobs_due_at", "state = 'scheduled'", "run_at"),
        _partial("jobs_hinted", "state = 'queued'", "queue", "hinted_at"),
        _partial("jobs_running", "state = 'running'", "worker"),
        _partial("jobs_expiring", "expires_at IS NOT NULL AND finished_at IS NULL", "expires_at"),
        _partial("jobs_finished", "finished_at IS NOT NULL", "state", "finished_at"),
        Index("jobs_by_tenant", "tenant", "id"),
        Index("jobs_by_state", "tenant", "state", "id"),
        Index("jobs_by_task", "tenant", "task", "id"),
        Index("jobs_by_queue", "tenant", "queue", "id"),
        _partial("jobs_by_schedule", "schedule_id IS NOT NULL", "schedule_id", "id"),
    )


class Attempt(Base):
    """One try. Its key is the job and the epoch of the claim, so a claim can be recorded only once."""

    __tablename__ = "attempts"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    worker: Mapped[UUID]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[Ending | None] = mapped_column(_words(Ending))
    error: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    retry_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("(finished_at IS NULL) = (outcome IS NULL)", name="outcome_when_finished"),)


class LogLine(Base):
    """A line that a task wrote about its job."""

    __tablename__ = "job_log"

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    epoch: Mapped[int]
    at: Mapped[datetime]
    level: Mapped[str] = mapped_column(sa.String(10))
    message: Mapped[str] = mapped_column(Lines)

    __table_args__ = (Index("job_log_by_job", "job_id", "id"),)


class IdempotencyKey(Base):
    """A key that a caller sent with a request, and the job it made."""

    __tablename__ = "idempotency_keys"

    tenant: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    digest: Mapped[str] = mapped_column(sa.String(64))
    job_id: Mapped[UUID]
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)


class Queue(Base):
    """A lane. Its pause is stored here and so outlives every restart."""

    __tablename__ = "queues"

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    paused_at: Mapped[datetime | None]


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

    __table_args__ = (_partial("workers_live", "stopped_at IS NULL", "beat_at"),)


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
        _partial("schedules_due", "next_at IS NOT NULL", "next_at"),
    )


class Tick(Base):
    """One due time of a schedule. Its key is what makes each tick one job, however many schedulers run."""

    __tablename__ = "ticks"

    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    job_id: Mapped[UUID | None]  # null: skipped, too long missed


class ApiKey(Base):
    """A caller's key: only its digest is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64), default=DEFAULT_TENANT)
    name: Mapped[str] = mapped_column(sa.String(128))
    scope: Mapped[str] = mapped_column(sa.String(10))
    digest: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("scope IN ('read', 'write', 'admin')", name="scope_known"),)
