"""/v1/subscriptions: which events make which jobs."""

from typing import Any

from fastapi import APIRouter, Response
from uuid_utils.compat import uuid7

from api.auth import Reader, Writer
from api.body import StrictRoute
from api.dependencies import InLedger
from api.schemas import PRIORITIES
from api.subscriptions import Name, SubscriptionChange, SubscriptionIn, SubscriptionList, SubscriptionOut
from jobs import queues, subscriptions
from jobs.errors import Invalid
from jobs.matching import rulebook
from jobs.model import Subscription
from jobs.policy import RetryPolicy
from runtime import clock
from tasks import catalogue

router = APIRouter(prefix="/v1/subscriptions", tags=["events"], route_class=StrictRoute)


@router.post("", status_code=201, responses={409: {"description": "There is a subscription of this name."}})
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
