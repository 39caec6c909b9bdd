"""The job that an event makes by a rule."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from jobs import webhooks
from jobs.arrival import Arrival
from jobs.matching import templates
from jobs.matching.rulebook import Declared, Rule
from jobs.model import Endpoint, Subscription
from jobs.order import Order
from jobs.policy import RetryPolicy


def order(rule: Rule, arrival: Arrival, event_id: UUID, tenant: str, now: datetime) -> Order:
    """What is to be done because of an event."""
    match rule.of:
        case Endpoint() as endpoint:
            payload = webhooks.payload(arrival.type, event_id, arrival.at or now, arrival.data, endpoint=endpoint.id)
            made, by = webhooks.order(payload, endpoint_id=endpoint.id), {}
        case Declared() as declared:
            made, by = _declared(declared, arrival), {"subscription": declared.name}
        case Subscription() as subscription:
            made, by = _subscribed(subscription, arrival, now), {"subscription": subscription.name}
    said = {"event": arrival.type, **by}
    return replace(made, tenant=tenant, event_id=event_id, metadata=said, traceparent=arrival.traceparent)


def _declared(declared: Declared, arrival: Arrival) -> Order:
    return Order(declared.task, arrival.data, declared.queue, timeout=declared.timeout, retry=declared.retry)


def _subscribed(subscription: Subscription, arrival: Arrival, now: datetime) -> Order:
    return Order(
        task=subscription.task,
        payload=templates.render(subscription.payload, arrival.document),
        queue=subscription.queue,
        priority=subscription.priority,
        run_at=now + subscription.delay if subscription.delay else None,
        timeout=subscription.timeout,
        retry=RetryPolicy.model_validate(subscription.retry),
        tags=subscription.tags,
    )
