"""The shapes of endpoints that go in and out of the door."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from standardwebhooks import Webhook

from api.schemas import AttemptOut, JobOut, Word
from api.subscriptions import Filter, Patterns
from jobs.model import Endpoint
from runtime.duration import Duration
from tasks.fields import HeaderName, HeaderValue, TargetUrl

_OURS = ("webhook-", "content-", "host", "transfer-encoding", "connection", "user-agent")


def _usable(secret: str) -> str:
    try:
        Webhook(secret)
    except Exception:  # noqa: BLE001 - whatever the library raises
        raise ValueError("a secret is whsec_ and base64") from None
    return secret


def _free(headers: dict[str, str]) -> dict[str, str]:
    taken = [name for name in headers if name.lower().startswith(_OURS)]
    if taken:
        raise ValueError(f"{taken[0]} is written by us")
    return headers


Secret = Annotated[str, StringConstraints(pattern=r"^whsec_[A-Za-z0-9+/]{32,88}={0,2}$"), AfterValidator(_usable)]
Headers = Annotated[dict[HeaderName, HeaderValue], Field(max_length=20), AfterValidator(_free)]
Overlap = Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=31))]


class EndpointIn(BaseModel):
    """Whom to tell, and of what."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[TargetUrl, Field(examples=["https://example.com/webhooks"])]
    types: Patterns
    filter: Filter = {}
    description: Word = ""
    headers: Annotated[Headers, Field(description="Sent along with each delivery.")] = {}
    secret: Annotated[Secret | None, Field(description="By default a new one.")] = None


class EndpointChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    url: TargetUrl | None = None
    types: Patterns | None = None
    filter: Filter | None = None
    description: Word | None = None
    headers: Headers | None = None


class Rotation(BaseModel):
    """The next secret."""

    model_config = ConfigDict(extra="forbid")

    secret: Annotated[Secret | None, Field(description="By default a new one.")] = None
    overlap: Annotated[Overlap, Field(description="How long the one before signs beside it.")] = timedelta(days=1)


class EndpointOut(BaseModel):
    """An endpoint, without its secrets and the values of its headers."""

    id: UUID
    url: str
    types: list[str]
    filter: dict[str, Any]
    description: str
    headers: list[str]
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_why: str | None
    created_at: datetime
    revision: int

    @classmethod
    def of(cls, one: Endpoint) -> Self:
        """An endpoint as the door shows it."""
        plain = {name: getattr(one, name) for name in cls.model_fields if name not in {"filter", "headers"}}
        return cls(**plain, filter=one.where, headers=sorted(one.headers))


class EndpointList(BaseModel):
    """All endpoints, oldest first."""

    endpoints: list[EndpointOut]


class Secrets(BaseModel):
    """What signs now, newest first."""

    secrets: list[str]


class Enabled(BaseModel):
    """An endpoint taken up again."""

    endpoint: EndpointOut
    revived: int = Field(description="Deliveries that had been given up and go again; ask again while it is 1000.")


class Delivery(BaseModel):
    """One delivery: a job, and each of its attempts."""

    job: JobOut
    type: str
    event_id: UUID | None
    attempts: list[AttemptOut]


class DeliveryPage(BaseModel):
    """Newest first."""

    deliveries: list[Delivery]
    next_cursor: UUID | None
