"""What a caller may ask for, and the order that it becomes."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from api.schemas import FARTHEST, NO_NUL, PRIORITIES, Priority, QueueName, Tag, Tags, TaskName, Time, Timeout, Word
from jobs import queues
from jobs.errors import Invalid, OutOfReach
from jobs.idempotency import digest_of
from jobs.keys import Caller
from jobs.order import OnConflict, Order, Scope, Unique
from jobs.policy import RetryPolicy
from runtime import clock
from runtime.duration import Duration
from tasks import catalogue
from tasks.fields import TargetUrl

LONGEST_WINDOW = timedelta(days=31)

Span = Annotated[Duration, Field(ge=timedelta(0), le=FARTHEST)]
Place = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]


class UniqueIn(BaseModel):
    """At most one job of this task with this key at a time."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[Place | None, Field(description="By default the payload.", examples=["customer-42"])] = None
    scope: Annotated[
        Scope,
        Field(description="How long a job keeps others out: until it starts, until it is final, or for a window of time."),
    ] = Scope.OPEN
    window: Annotated[
        Duration | None,
        Field(ge=timedelta(seconds=1), le=LONGEST_WINDOW, description="Counted from acceptance; only with scope window."),
    ] = None
    on_conflict: Annotated[
        OnConflict,
        Field(
            description="Of this one: return the job that is there, reject (409), or give that job the payload of "
            "this one (replace), its time (extend) or both (debounce); 409 if that job has started."
        ),
    ] = OnConflict.RETURN

    @model_validator(mode="after")
    def _window_if_asked(self) -> Self:
        if (self.window is not None) != (self.scope is Scope.WINDOW):
            raise ValueError('give a window with "scope": "window", and with no other')
        return self

    def wish(self, payload: Any) -> Unique:
        """What the ledger is asked for."""
        key = f"key {self.key}" if self.key is not None else f"payload {digest_of(payload)}"
        return Unique(key, self.scope, self.window or timedelta(0), self.on_conflict)


class JobIn(BaseModel):
    """A job to be done."""

    model_config = ConfigDict(extra="forbid")

    task: Annotated[TaskName, Field(examples=["http.request"])]
    payload: Annotated[Any, Field(description="What the task's own schema asks for.")] = Field(default_factory=dict)
    queue: Annotated[QueueName | None, Field(description="By default the task's own.")] = None
    priority: Priority = "normal"
    delay: Annotated[Span | None, Field(description="Wait this long; or give run_at.")] = None
    run_at: Annotated[Time | None, Field(description="Not before this time; or give delay.")] = None
    ttl: Annotated[
        Span | None, Field(description="Not started so long after it may run: expired, never run; or give expires_at.")
    ] = None
    expires_at: Annotated[Time | None, Field(description="Not started by then: expired, never run.")] = None
    timeout: Annotated[
        Timeout | None, Field(description="The longest that one attempt may take; by default the task's own.")
    ] = None
    retry: Annotated[RetryPolicy | None, Field(description="What it leaves out is the task's own.")] = None
    unique: Annotated[UniqueIn | None, Field(description="Keep a second job like this one out.")] = None
    tags: Tags = Field(default_factory=list, json_schema_extra={"default": []})  # pydantic would copy a given one deeply
    metadata: Annotated[dict[Tag, Word], Field(max_length=20)] = Field(
        default_factory=dict, json_schema_extra={"default": {}}
    )
    callback: Annotated[
        TargetUrl | None, Field(description="Told of the job's end by a webhook, signed with TREADLE_WEBHOOK_SECRET.")
    ] = None

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if self.delay is not None and self.run_at is not None:
            raise ValueError("give delay or run_at, not both")
        if self.ttl is not None and self.expires_at is not None:
            raise ValueError("give ttl or expires_at, not both")
        return self

    def order(self, caller: Caller, request_id: str, trace: str | None) -> Order:
        """The order, complete.

        Raises:
            Invalid: there is no such task or queue, the payload is not what the task wants, or the job would expire before
                it may run.
            OutOfReach: the caller's key is not for such jobs.
        """
        task = catalogue.find(self.task)
        payload = task.accept(self.payload)
        queue = queues.check(self.queue or task.queue)
        if not caller.reach.covers(task.name, queue):
            raise OutOfReach(task.name, queue)
        run_at, expires_at = self._times(clock.now())
        return Order(
            task=task.name,
            payload=self.payload,
            queue=queue,
            account=task.account(payload),
            priority=PRIORITIES.index(self.priority),
            run_at=run_at,
            expires_at=expires_at,
            timeout=self.timeout or task.timeout,
            retry=task.policy(self.retry),
            tags=self.tags,
            metadata=self.metadata,
            unique=self.unique.wish(self.payload) if self.unique else None,
            callback=self.callback,
            tenant=caller.tenant,
            caller=caller.key_id,
            request_id=request_id,
            traceparent=trace,
        )

    def _times(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """When it may run (None: at once), and when it expires."""
        due = now + self.delay if self.delay else self.run_at
        expires_at = max(due or now, now) + self.ttl if self.ttl is not None else self.expires_at
        if expires_at is not None and expires_at <= max(due or now, now):
            raise Invalid.at("/ttl" if self.ttl is not None else "/expires_at", "The job would expire before it may run.")
        return due, expires_at
