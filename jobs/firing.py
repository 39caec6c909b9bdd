"""The job that an event makes by a rule."""

from datetime import datetime
from typing import Any
from uuid import UUID

from jobs import webhooks, whom
from jobs.arrival import Arrival
from jobs.matching import templates
from jobs.matching.rulebook import Declared, Rule
from jobs.model import Endpoint, Subscription
from jobs.order import Order


def order(rule: Rule, arrival: Arrival, event_id: UUID, now: datetime, said: dict[str, str], **of: Any) -> Order:
    """What is to be done because of an event; `said` is kept with the job, `of` are more fields of the order."""
    of |= {"event_id": event_id, "traceparent": arrival.traceparent}
    said = {"event": arrival.type, **said}
    match rule.of:
        case Endpoint() as endpoint:
            payload = webhooks.payload(arrival.type, event_id, arrival.at or now, arrival.data, endpoint=endpoint.id)
            return webhooks.order(payload, endpoint_id=endpoint.id, metadata=said, **of)
        case Declared() as declared:
            return Order(
                task=declared.task,
                payload=arrival.data,
                queue=declared.queue,
                account=whom.account(declared.task, arrival.data),
                timeout=declared.timeout,
                retry=rule.retry,
                metadata={"subscription": declared.name, **said},
                **of,
            )
        case Subscription() as subscription:
            rendered = templates.render(subscription.payload, arrival.document)
            return Order(
                task=subscription.task,
                payload=rendered,
                queue=subscription.queue,
                account=whom.account(subscription.task, rendered),
                priority=subscription.priority,
                run_at=now + subscription.delay if subscription.delay else None,
                timeout=subscription.timeout,
                retry=rule.retry,
                tags=subscription.tags,
                metadata={"subscription": subscription.name, **said},
                **of,
            )
