"""/v1/subscriptions: which events make which jobs."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from uuid_utils.compat import uuid7

from api.auth import Reader, Writer
from api.body import StrictRoute
from api.dependencies import InLedger
from api.orders import Span
from api.schemas import PRIORITIES, Priority, QueueName, Tags, TaskName, Timeout
from jobs import queues, subscriptions
from jobs.errors import Invalid
from jobs.matching import rulebook, templates
from jobs.matching.rulebook import Declared
from jobs.model import Subscription
from jobs.policy import RetryPolicy
from runtime import clock
from runtime.duration import Duration
from tasks import catalogue

router = APIRouter(prefix="/v1/subscriptions", tags=["events"], route_class=StrictRoute)

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
    paused: bool = False


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
    paused: bool | None = None


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


@router.post("", status_code=201)
async def create_subscription(
    given: SubscriptionIn, response: Response, caller: Writer, ledger: InLedger
) -> SubscriptionOut:
    """Store a subscription. Each event that is accepted from now on and fits makes its job."""

    def add(session: Any) -> Subscription:
        made = _stored(given, caller.tenant)
        subscriptions.add(session, made)
        return made

    made = await ledger.write(add, row=f"subscription {given.name}")
    response.headers["Location"] = f"/v1/subscriptions/{made.name}"
    return SubscriptionOut.of(made)


@router.get("")
async def list_subscriptions(caller: Reader, ledger: InLedger) -> SubscriptionList:
    """All subscriptions, those that stand in code (`@task(on=…)`) among them."""
    stored = await ledger.read(lambda session: subscriptions.listed(session, caller.tenant))
    shown = [*map(SubscriptionOut.in_code, rulebook.declared()), *map(SubscriptionOut.of, stored)]
    return SubscriptionList(subscriptions=shown)


@router.get("/{name}")
async def get_subscription(name: Name, caller: Reader, ledger: InLedger) -> SubscriptionOut:
    """One stored subscription."""
    return SubscriptionOut.of(await ledger.read(lambda session: subscriptions.get(session, caller.tenant, name)))


@router.patch("/{name}")
async def change_subscription(name: Name, given: SubscriptionChange, caller: Writer, ledger: InLedger) -> SubscriptionOut:
    """Change a subscription, pause it (`"paused": true`) or resume it."""

    def change(session: Any) -> Subscription:
        found = subscriptions.get(session, caller.tenant, name)
        subscriptions.change(session, found, **_changes(given, found))
        return found

    return SubscriptionOut.of(await ledger.write(change, row=f"subscription {name}"))


@router.delete("/{name}", status_code=204)
async def delete_subscription(name: Name, caller: Writer, ledger: InLedger) -> None:
    """Delete a subscription. The jobs that it made stay."""
    await ledger.write(lambda session: subscriptions.remove(session, caller.tenant, name), row=f"subscription {name}")


def _stored(given: SubscriptionIn, tenant: str) -> Subscription:
    task, now = catalogue.find(given.task), clock.now()
    return Subscription(
        id=uuid7(),
        tenant=tenant,
        name=given.name,
        types=given.types,
        where=given.filter,
        task=task.name,
        payload=given.payload,
        queue=queues.check(given.queue or task.queue),
        priority=PRIORITIES.index(given.priority),
        delay=given.delay,
        timeout=given.timeout or task.timeout,
        retry=task.policy(given.retry).model_dump(mode="json"),
        tags=given.tags,
        paused_at=now if given.paused else None,
        created_at=now,
        revision=1,
    )


def _changes(given: SubscriptionChange, subscription: Subscription) -> dict[str, Any]:
    """The columns that a change touches."""
    sent = given.model_fields_set
    wrong = sorted(name for name in sent - {"payload"} if getattr(given, name) is None)
    if wrong:
        raise Invalid([{"pointer": f"/{name}", "detail": "null is not a value for this."} for name in wrong])
    changes: dict[str, Any] = {name: getattr(given, name) for name in sent - {"filter", "paused", "priority", "retry"}}
    if "queue" in changes:
        queues.check(changes["queue"])
    if given.filter is not None:
        changes["where"] = given.filter
    if given.priority is not None:
        changes["priority"] = PRIORITIES.index(given.priority)
    if given.retry is not None:
        before = RetryPolicy.model_validate(subscription.retry)
        changes["retry"] = catalogue.find(subscription.task).policy(given.retry, before).model_dump(mode="json")
    if given.paused is not None:
        changes["paused_at"] = (subscription.paused_at or clock.now()) if given.paused else None
    return changes
