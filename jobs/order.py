"""What a caller asks for, checked and complete."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from jobs.model import DEFAULT_TENANT, Job
from jobs.policy import RetryPolicy
from jobs.states import State


class Scope(StrEnum):
    """How long a job keeps others like it out."""

    WAITING = "waiting"  # until its first attempt starts
    OPEN = "open"  # until it is final
    WINDOW = "window"  # for a time since it was accepted, whatever becomes of it


class OnConflict(StrEnum):
    """What becomes of an order whose place another job holds."""

    RETURN = "return"  # that job is the answer
    REJECT = "reject"
    REPLACE = "replace"  # that job takes the new payload
    EXTEND = "extend"  # that job takes the new time
    DEBOUNCE = "debounce"  # that job takes both


@dataclass(frozen=True)
class Unique:
    """At most one job of a task with this key."""

    key: str
    scope: Scope = Scope.OPEN
    window: timedelta = timedelta(0)
    on_conflict: OnConflict = OnConflict.RETURN


@dataclass(slots=True)  # frozen, each of its fields would be set by a call: five times as long
class Order:
    """A job to be made. Not to be changed."""

    task: str
    payload: Any
    queue: str
    account: str | None = None  # that its task calls, as far as it is known
    priority: int = 1
    run_at: datetime | None = None  # None: as soon as it may
    expires_at: datetime | None = None
    timeout: timedelta = timedelta(minutes=1)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    unique: Unique | None = None
    tenant: str = DEFAULT_TENANT
    caller: str | None = None  # the API key that sent it; None: it comes from within
    id: UUID | None = None  # None: a new one
    schedule_id: UUID | None = None
    event_id: UUID | None = None
    endpoint_id: UUID | None = None
    callback: str | None = None
    replay_of: UUID | None = None
    request_id: str | None = None
    traceparent: str | None = None

    @classmethod
    def like(cls, job: Job) -> "Order":
        """An order for a job like one that was made: what set that one off is not repeated."""
        return cls(
            task=job.task,
            payload=job.payload,
            queue=job.queue,
            priority=job.priority,
            timeout=job.timeout,
            retry=RetryPolicy.model_validate(job.retry),
            tags=job.tags,
            metadata=job.meta,
            tenant=job.tenant,
            account=job.account,
            callback=job.callback,
            replay_of=job.id,
        )

    def row(self, job_id: UUID, now: datetime) -> dict[str, Any]:
        """The values of the job's row, by the names of its attributes."""
        return {
            "id": job_id,
            "tenant": self.tenant,
            "caller": self.caller,
            "task": self.task,
            "queue": self.queue,
            "account": self.account,
            "priority": self.priority,
            "payload": self.payload,
            "tags": self.tags,
            "meta": self.metadata,
            "retry": self.retry.as_json,
            "timeout": self.timeout,
            "state": State.SCHEDULED,
            "epoch": 0,
            "attempt": 0,
            "budget_from": 0,
            "budget_at": now,
            "crashes": 0,
            "cancel_requested": False,
            "created_at": now,
            "run_at": self.run_at or now,
            "parked_at": None,
            "hinted_at": None,
            "expires_at": self.expires_at,
            "waits_for": None,
            "schedule_id": self.schedule_id,
            "event_id": self.event_id,
            "endpoint_id": self.endpoint_id,
            "callback": self.callback,
            "replay_of": self.replay_of,
            "request_id": self.request_id,
            "traceparent": self.traceparent,
        }
