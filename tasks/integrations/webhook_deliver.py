"""webhook.deliver: an event to someone's endpoint, signed and retried as the Standard Webhooks specification says."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Self
from uuid import UUID

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from jobs import endpoints, webhooks
from jobs.errors import RateLimited, Rejected, Snooze, TaskError, Transient
from jobs.matching.patterns import TYPE
from jobs.model import Endpoint
from runtime import clock
from runtime.database import Unavailable, snapshot, transaction
from runtime.settings import settings
from tasks import http
from tasks.context import Context
from tasks.fields import TargetUrl
from tasks.registry import task

log = structlog.get_logger()

_MENDING = (
    'Start the workers with TREADLE_WEBHOOK_SECRET="whsec_$(openssl rand -base64 24)" and give the receiver its value.'
)
_UNTIL_ENABLED = timedelta(days=1)  # enabling the endpoint brings its deliveries forward


class Delivery(BaseModel):
    """The event, and where it goes: a URL, or an endpoint. The body is {"type", "timestamp", "data"}."""

    model_config = ConfigDict(extra="forbid")

    url: TargetUrl | None = None
    endpoint: Annotated[UUID | None, Field(description="Its URL, headers and secrets are read at each attempt.")] = None
    type: Annotated[str, StringConstraints(pattern=TYPE, max_length=255)]
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

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.url is None) == (self.endpoint is None):
            raise ValueError("give url or endpoint, one of them")
        return self


@dataclass(frozen=True)
class _Target:
    """Where a delivery goes, and what signs it."""

    url: str
    secrets: list[str]
    headers: dict[str, str] = field(default_factory=dict)
    endpoint: Endpoint | None = None


@task(
    webhooks.TASK,
    retry=webhooks.RETRY,
    example={"url": "https://example.com/webhooks", "type": "invoice.paid", "data": {"id": "in_1", "amount": 1200}},
)
def deliver(payload: Delivery, context: Context) -> dict[str, Any]:
    """Deliver an event as a signed webhook, over three days if need be.

    Only 2xx is success, and a redirect is none; 410 says that the endpoint is gone for good. Any other answer may be a
    receiver half deployed, and is tried again.
    """
    target = _target(payload)
    message_id = payload.id or context.key()
    occurred = payload.timestamp or context.accepted_at
    event = {"type": payload.type, "timestamp": occurred.isoformat(), "data": payload.data}
    body = json.dumps(event, separators=(",", ":"))
    headers = {**target.headers, "content-type": "application/json", **_signature(target.secrets, message_id, body)}
    try:
        reply = http.send(
            "POST", target.url, headers=headers, content=body.encode(), timeout=timedelta(seconds=20), keep=65_536
        )
        error = http.judge(reply)
        if error is not None:
            raise _judge(error, reply)
    except TaskError as error:
        _note(target, error)
        raise
    _note(target)
    return {
        "id": message_id,
        "status": reply.status,
        "elapsed_ms": round(reply.elapsed / timedelta(milliseconds=1)),
    }


def _target(payload: Delivery) -> _Target:
    if payload.endpoint is None:
        secret = settings().webhook_secret
        return _Target(str(payload.url), secret.get_secret_value().split() if secret else [])
    with snapshot() as session:
        endpoint = session.get(Endpoint, payload.endpoint)
    if endpoint is None:
        raise Rejected(f"There is no endpoint {payload.endpoint} any more.", code="no_endpoint")
    if endpoint.disabled_at is not None:
        raise Snooze(_UNTIL_ENABLED, f"the endpoint is disabled: {endpoint.disabled_why}")
    return _Target(endpoint.url, endpoints.live_secrets(endpoint, clock.now()), endpoint.headers, endpoint)


def _note(target: _Target, error: TaskError | None = None) -> None:
    """Remember of an endpoint that it began to fail, or no longer does; nothing is written while that stays the same."""
    endpoint = target.endpoint
    if endpoint is None or (error is None and endpoint.failing_since is None):
        return
    change = partial(endpoints.failed, why=str(error), gone=error.code == "gone") if error else endpoints.answered
    try:
        with transaction() as session:
            change(session, endpoint)
    except Unavailable:
        log.warning("how the endpoint fares was not noted: the database is away", endpoint=str(endpoint.id))


def _judge(error: TaskError, reply: http.Reply) -> TaskError:
    if reply.status == HTTPStatus.GONE:
        return Rejected(
            f"{error} The endpoint wants no more of them.", status=error.status, code="gone", detail=error.detail
        )
    if isinstance(error, Transient) and not isinstance(error, RateLimited):
        return error
    # A receiver's 429, too, spends an attempt: the specification counts attempts.
    return Transient(str(error), after=http.retry_after(reply.headers), status=error.status, detail=error.detail)


def _signature(secrets: list[str], message_id: str, body: str) -> dict[str, str]:
    """The three headers. Two secrets, as during a rotation, make two signatures."""
    now = clock.now()
    if not secrets:
        raise Rejected(f"There is no secret to sign webhooks with. {_MENDING}", code="not_configured")
    try:
        signatures = [Webhook(each).sign(message_id, now, body) for each in secrets]
    except (ValueError, EmptyWebhookSecretError):
        raise Rejected(f"The secret that signs webhooks is not base64. {_MENDING}", code="not_configured") from None
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
