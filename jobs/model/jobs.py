"""The job itself."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.orm.instrumentation import manager_of_class

from jobs.model.columns import DEFAULT_TENANT, Words, partial, spelt, words
from jobs.states import FINAL, Reason, State
from runtime.database import Base


class Job(Base):
    """One request to do a task: the truth about it."""

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # UUIDv7: ordered by acceptance
    tenant: Mapped[str] = mapped_column(sa.String(64), default=DEFAULT_TENANT)
    caller: Mapped[str | None] = mapped_column(sa.String(64))  # the API key that sent it
    task: Mapped[str] = mapped_column(sa.String(128))
    queue: Mapped[str] = mapped_column(sa.String(64))
    account: Mapped[str | None] = mapped_column(sa.String(64))  # of the provider that its task calls
    priority: Mapped[int] = mapped_column(sa.SmallInteger)
    payload: Mapped[Any] = mapped_column(sa.JSON)
    tags: Mapped[list[str]] = mapped_column(sa.JSON)
    meta: Mapped[dict[str, str]] = mapped_column("metadata", sa.JSON)
    retry: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    timeout: Mapped[timedelta]

    state: Mapped[State] = mapped_column(words(State))
    reason: Mapped[Reason | None] = mapped_column(words(Reason))
    epoch: Mapped[int] = mapped_column(default=0)  # counts claims: the fencing number of every later write
    attempt: Mapped[int] = mapped_column(default=0)  # counts real tries
    budget_from: Mapped[int] = mapped_column(default=0)  # the attempts before the last retry by hand
    budget_at: Mapped[datetime]  # when the present budget began
    crashes: Mapped[int] = mapped_column(default=0)  # workers that died under it
    worker: Mapped[UUID | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)

    created_at: Mapped[datetime]
    run_at: Mapped[datetime]  # not before
    parked_at: Mapped[datetime | None]  # put aside: its account is held
    hinted_at: Mapped[datetime | None]  # when the hint was last sent to the broker
    started_at: Mapped[datetime | None]  # of the present or last attempt
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]

    result: Mapped[Any | None] = mapped_column(sa.JSON(none_as_null=True))
    error: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    error_class: Mapped[str | None] = mapped_column(Words(64))  # of the last error, to be found by
    progress: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    waits_for: Mapped[str | None] = mapped_column(Words(200))  # why a snoozed or parked job waits, in words
    schedule_id: Mapped[UUID | None]
    event_id: Mapped[UUID | None]  # the event that set it off
    endpoint_id: Mapped[UUID | None]  # whom it tells of it
    callback: Mapped[str | None] = mapped_column(sa.String(2048))  # the URL to tell of its end
    replay_of: Mapped[UUID | None]  # the job whose edited copy it is
    request_id: Mapped[str | None] = mapped_column(sa.String(128))
    traceparent: Mapped[str | None] = mapped_column(sa.String(64))

    __table_args__ = (
        CheckConstraint(f"(finished_at IS NOT NULL) = (state IN ({spelt(FINAL)}))", name="finished_when_final"),
        CheckConstraint("(worker IS NOT NULL) = (state = 'running')", name="worker_when_running"),
        CheckConstraint("(reason IS NOT NULL) = (state = 'failed')", name="reason_when_failed"),
        CheckConstraint("state <> 'queued' OR hinted_at IS NOT NULL", name="hinted_when_queued"),
        CheckConstraint("attempt >= budget_from AND epoch >= attempt", name="counts"),
        CheckConstraint("priority BETWEEN 0 AND 3", name="priority_range"),
        partial("jobs_due", "state = 'scheduled' AND parked_at IS NULL", "queue", "priority", "run_at", "id"),
        partial("jobs_due_at", "state = 'scheduled' AND parked_at IS NULL", "run_at"),
        partial("jobs_parked", "parked_at IS NOT NULL", "account", "queue", "priority", "run_at", "id"),
        partial("jobs_hinted", "state = 'queued'", "queue", "hinted_at"),
        partial("jobs_by_caller", "caller IS NOT NULL AND finished_at IS NULL", "caller", "queue", "priority", "run_at"),
        partial("jobs_running", "state = 'running'", "worker"),
        partial("jobs_expiring", "expires_at IS NOT NULL AND finished_at IS NULL", "expires_at"),
        partial("jobs_finished", "finished_at IS NOT NULL", "state", "finished_at"),
        Index("jobs_by_tenant", "tenant", "id"),
        Index("jobs_by_state", "tenant", "state", "id"),
        Index("jobs_by_task", "tenant", "task", "id"),
        Index("jobs_by_queue", "tenant", "queue", "id"),
        partial("jobs_by_error", "error_class IS NOT NULL", "tenant", "error_class", "id"),
        partial("jobs_by_account", "account IS NOT NULL", "tenant", "account", "id"),
        partial("jobs_by_schedule", "schedule_id IS NOT NULL", "schedule_id", "id"),
        partial("jobs_by_event", "event_id IS NOT NULL", "event_id", "id"),
        partial("jobs_by_endpoint", "endpoint_id IS NOT NULL", "endpoint_id", "id"),
    )


class Label(Base):
    """A tag, or a pair of metadata, by which a job is found."""

    __tablename__ = "labels"

    tenant: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    label: Mapped[str] = mapped_column(sa.String(600), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, index=True)


_manager = manager_of_class(Job)
_NOTHING = dict.fromkeys(sa.inspect(Job).column_attrs.keys())


def unsaved(values: dict[str, Any]) -> Job:
    """A job of these values, which some statement stores. Its constructor takes ten times as long, telling of each value."""
    job: Job = _manager.new_instance()
    its = vars(job)
    its.update(_NOTHING)
    its.update(values)
    return job
