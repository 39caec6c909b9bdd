"""Webhooks out: the job that delivers one, retried as the Standard Webhooks specification says."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from jobs.order import Order
from jobs.policy import Listed, RetryPolicy

TASK = "webhook.deliver"

# The schedule of the specification: ten attempts over about 75 hours.
DELAYS = (
    *(timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30)),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
RETRY = RetryPolicy(max_attempts=len(DELAYS) + 1, backoff=Listed(delays=DELAYS))


def payload(event_type: str, event_id: UUID, at: datetime, data: Any, **where: Any) -> dict[str, Any]:
    """What the task wants: an event, and `url` or `endpoint`, where it goes. Receivers dedupe by the event's id."""
    said = {"type": event_type, "id": str(event_id), "timestamp": at.isoformat(), "data": data}
    return said | {name: str(value) for name, value in where.items()}


def order(payload: dict[str, Any], **of: Any) -> Order:
    """A delivery."""
    return Order(TASK, payload, "default", retry=RETRY, **of)
