"""The shapes of subscriptions that go in and out of the door."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from api.orders import Span
from api.schemas import PRIORITIES, Priority, QueueName, Tags, TaskName, Timeout
from jobs.matching import templates
from jobs.matching.rulebook import Declared
from jobs.model import Subscription
from jobs.policy import RetryPolicy
from runtime.duration import Duration

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Patterns = Annotated[
    list[Pattern],
    Field(
        min_length=1,
        max_length=50,
        description="`*` is one word between dots, `**` at the end is the rest.",
        examples=[["order.*"]],
    ),
]
Filter = Annotated[
    dict[str, Any],
    Field(description="The shape of the event, with lists of what is allowed.", examples=[{"data": {"currency": ["EUR"]}}]),
]
PayloadTemplate = Annotated[Any, Field(description="Texts may hold {{data.…}}, {{type}}, {{subject}} and so on.")]


class SubscriptionIn(BaseModel):
    """Which events make a job, and which job."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    types: Patterns
    filter: Filter = {}
    task: TaskName
    payload: PayloadTemplate = templates.WHOLE
    queue: QueueName | None = None
    priority: Priority = "normal"
    delay: Span = timedelta(0)
    timeout: Timeout | None = None
    retry: RetryPolicy | None = None
    tags: Tags = []
    paused: StrictBool = False


class SubscriptionChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    types: Patterns | None = None
    filter: Filter | None = None
    payload: PayloadTemplate = None
    queue: QueueName | None = None
    priority: Priority | None = None
    delay: Span | None = None
    timeout: Timeout | None = None
    retry: RetryPolicy | None = None
    tags: Tags | None = None
    paused: StrictBool | None = None


class SubscriptionOut(BaseModel):
    """A subscription, as stored or as declared in code."""

    name: str
    declared: bool = Field(description="It stands in code: change it there.")
    types: list[str]
    filter: dict[str, Any]
    task: str
    payload: Any
    queue: str
    priority: Priority
    delay: Duration
    timeout: Duration
    retry: RetryPolicy
    tags: list[str]
    paused: bool
    created_at: datetime | None
    revision: int

    @classmethod
    def of(cls, one: Subscription) -> Self:
        """A stored subscription as the door shows it."""
        changed = {"declared", "filter", "priority", "paused"}
        plain = {name: getattr(one, name) for name in cls.model_fields if name not in changed}
        priority = PRIORITIES[one.priority]
        return cls(**plain, declared=False, filter=one.where, priority=priority, paused=one.paused_at is not None)

    @classmethod
    def in_code(cls, one: Declared) -> Self:
        """One that stands in code."""
        plain = {"name": one.name, "types": list(one.types), "task": one.task, "queue": one.queue, "timeout": one.timeout}
        rest = {"filter": {}, "payload": templates.WHOLE, "priority": "normal", "delay": timedelta(0), "tags": []}
        return cls(**plain, **rest, retry=one.retry, declared=True, paused=False, created_at=None, revision=1)


class SubscriptionList(BaseModel):
    """All subscriptions, by name; those in code first."""

    subscriptions: list[SubscriptionOut]
