"""webhook.deliver: an event to someone's endpoint, signed and retried as the Standard Webhooks specification says."""

import json
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from jobs.errors import RateLimited, Rejected, TaskError, Transient
from jobs.policy import Listed, RetryPolicy
from runtime import clock
from runtime.settings import settings
from tasks import http
from tasks.context import Context
from tasks.fields import TargetUrl
from tasks.registry import task

# The schedule of the specification: ten attempts over about 75 hours.
_DELAYS = [
    *(timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30)),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
]
_MENDING = (
    'Start the workers with TREADLE_WEBHOOK_SECRET="whsec_$(openssl rand -base64 24)" and give the receiver its value.'
)


class Delivery(BaseModel):
    """The event, and where it goes. The body is {"type", "timestamp", "data"}."""

    model_config = ConfigDict(extra="forbid")

    url: TargetUrl
    type: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
    data: Any
    id: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9_-]{1,128}$", description="The webhook-id; by default the job's. Receivers dedupe by it."
        ),
    ] = None
    timestamp: Annotated[
        AwareDatetime | None, Field(description="When it happened; by default when the job was accepted.")
    ] = None


@task(
    "webhook.deliver",
    retry=RetryPolicy(max_attempts=len(_DELAYS) + 1, backoff=Listed(delays=tuple(_DELAYS))),
    example={"url": "https://example.com/webhooks", "type": "invoice.paid", "data": {"id": "in_1", "amount": 1200}},
)
def deliver(payload: Delivery, context: Context) -> dict[str, Any]:
    """Deliver an event as a signed webhook, over three days if need be.

    Only 2xx is success, and a redirect is none; 410 says that the endpoint is gone for good. Any other answer may be a
    receiver half deployed, and is tried again.
    """
    message_id = payload.id or context.key()
    occurred = payload.timestamp or context.accepted_at
    event = {"type": payload.type, "timestamp": occurred.isoformat(), "data": payload.data}
    body = json.dumps(event, separators=(",", ":"))
    headers = {"content-type": "application/json", **_signature(message_id, body)}
    reply = http.send(
        "POST", payload.url, headers=headers, content=body.encode(), timeout=timedelta(seconds=20), keep=65_536
    )
    error = http.judge(reply)
    if error is not None:
        raise _judge(error, reply)
    return {
        "id": message_id,
        "status": reply.status,
        "elapsed_ms": round(reply.elapsed / timedelta(milliseconds=1)),
    }


def _judge(error: TaskError, reply: http.Reply) -> TaskError:
    if reply.status == HTTPStatus.GONE:
        return Rejected(
            f"{error} The endpoint wants no more of them.", status=error.status, code="gone", detail=error.detail
        )
    if isinstance(error, Transient) and not isinstance(error, RateLimited):
        return error
    # A receiver's 429, too, spends an attempt: the specification counts attempts.
    return Transient(str(error), after=http.retry_after(reply.headers), status=error.status, detail=error.detail)


def _signature(message_id: str, body: str) -> dict[str, str]:
    """The three headers. Two secrets with a space between them, as during a rotation, make two signatures."""
    now = clock.now()
    secret = settings().webhook_secret
    secrets = secret.get_secret_value().split() if secret else []
    if not secrets:
        raise Rejected(f"There is no secret to sign webhooks with. {_MENDING}", code="not_configured")
    try:
        signatures = [Webhook(each).sign(message_id, now, body) for each in secrets]
    except (ValueError, EmptyWebhookSecretError):
        raise Rejected(f"TREADLE_WEBHOOK_SECRET is not base64. {_MENDING}", code="not_configured") from None
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
