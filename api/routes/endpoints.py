"""/v1/endpoints: who is told of events, by signed webhooks."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session
from standardwebhooks import Webhook
from uuid_utils.compat import uuid7

from api.auth import Admin, Reader, Writer
from api.body import StrictRoute
from api.dependencies import InLedger
from api.routes.subscriptions import Filter, Patterns
from api.schemas import AttemptOut, JobOut, Word
from jobs import endpoints, queries
from jobs.errors import Invalid
from jobs.model import Endpoint, Job
from runtime import clock
from runtime.duration import Duration
from tasks.fields import HeaderName, HeaderValue, TargetUrl

router = APIRouter(prefix="/v1/endpoints", tags=["events"], route_class=StrictRoute)

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


@router.post("", status_code=201)
async def create_endpoint(given: EndpointIn, response: Response, caller: Writer, ledger: InLedger) -> EndpointOut:
    """Store an endpoint. It is told of each event that is accepted from now on and fits."""

    def add(session: Session) -> Endpoint:
        made = _stored(given, caller.tenant)
        endpoints.add(session, made)
        return made

    made = await ledger.write(add, row="endpoint")
    response.headers["Location"] = f"/v1/endpoints/{made.id}"
    return EndpointOut.of(made)


@router.get("")
async def list_endpoints(caller: Reader, ledger: InLedger) -> EndpointList:
    """All endpoints."""
    found = await ledger.read(lambda session: endpoints.listed(session, caller.tenant))
    return EndpointList(endpoints=[EndpointOut.of(one) for one in found])


@router.get("/{endpoint_id}")
async def get_endpoint(endpoint_id: UUID, caller: Reader, ledger: InLedger) -> EndpointOut:
    """One endpoint, and how it fares."""
    return EndpointOut.of(await ledger.read(lambda session: endpoints.get(session, caller.tenant, endpoint_id)))


@router.patch("/{endpoint_id}")
async def change_endpoint(endpoint_id: UUID, given: EndpointChange, caller: Writer, ledger: InLedger) -> EndpointOut:
    """Change an endpoint. Deliveries that wait follow it."""
    sent = given.model_fields_set
    wrong = sorted(name for name in sent if getattr(given, name) is None)
    if wrong:
        raise Invalid([{"pointer": f"/{name}", "detail": "null is not a value for this."} for name in wrong])
    changes = {"where" if name == "filter" else name: getattr(given, name) for name in sent}
    return EndpointOut.of(
        await _change(ledger, caller.tenant, endpoint_id, lambda s, one: endpoints.change(s, one, **changes))
    )


@router.delete("/{endpoint_id}", status_code=204)
async def delete_endpoint(endpoint_id: UUID, caller: Writer, ledger: InLedger) -> None:
    """Delete an endpoint. Deliveries that wait fail."""
    await ledger.write(lambda session: endpoints.remove(session, caller.tenant, endpoint_id), row=f"endpoint {endpoint_id}")


@router.get("/{endpoint_id}/secret")
async def get_secret(endpoint_id: UUID, caller: Admin, ledger: InLedger) -> Secrets:
    """What signs its webhooks now."""
    found = await ledger.read(lambda session: endpoints.get(session, caller.tenant, endpoint_id))
    return Secrets(secrets=endpoints.live_secrets(found, clock.now()))


@router.post("/{endpoint_id}/rotate")
async def rotate_secret(endpoint_id: UUID, given: Rotation, caller: Admin, ledger: InLedger) -> Secrets:
    """Sign with a new secret, and with the one before until the overlap is over."""
    secret = given.secret or endpoints.new_secret()
    changed = await _change(
        ledger, caller.tenant, endpoint_id, lambda s, one: endpoints.rotate(s, one, secret, given.overlap)
    )
    return Secrets(secrets=endpoints.live_secrets(changed, clock.now()))


@router.post("/{endpoint_id}/ping", status_code=202)
async def ping_endpoint(endpoint_id: UUID, response: Response, caller: Writer, ledger: InLedger) -> JobOut:
    """Deliver a test event, `endpoint.ping`, to this endpoint alone."""
    job = await ledger.write(lambda session: endpoints.ping(session, endpoints.get(session, caller.tenant, endpoint_id)))
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobOut.of(job)


@router.post("/{endpoint_id}/disable")
async def disable_endpoint(endpoint_id: UUID, caller: Writer, ledger: InLedger) -> EndpointOut:
    """Tell it nothing until it is enabled. Deliveries are made all the same, and wait."""
    return EndpointOut.of(
        await _change(ledger, caller.tenant, endpoint_id, lambda s, one: endpoints.disable(s, one, "by hand"))
    )


@router.post("/{endpoint_id}/enable")
async def enable_endpoint(endpoint_id: UUID, caller: Writer, ledger: InLedger) -> Enabled:
    """Take it up again: what waits goes at once, and what failed since it began to fail is revived."""
    revived = 0

    def enable(session: Session, one: Endpoint) -> None:
        nonlocal revived
        revived = endpoints.enable(session, one)

    changed = await _change(ledger, caller.tenant, endpoint_id, enable)
    return Enabled(endpoint=EndpointOut.of(changed), revived=revived)


@router.get("/{endpoint_id}/deliveries")
async def list_deliveries(
    endpoint_id: UUID,
    caller: Reader,
    ledger: InLedger,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: UUID | None = None,
) -> DeliveryPage:
    """The delivery log: each delivery with its attempts in order, newest delivery first."""

    def look(session: Session) -> DeliveryPage:
        endpoints.get(session, caller.tenant, endpoint_id)
        found = endpoints.deliveries(session, endpoint_id, limit + 1, cursor)
        shown = [_delivery(session, job) for job in found[:limit]]
        return DeliveryPage(deliveries=shown, next_cursor=found[limit - 1].id if len(found) > limit else None)

    return await ledger.read(look)


async def _change(ledger: InLedger, tenant: str, endpoint_id: UUID, do: Callable[[Session, Endpoint], object]) -> Endpoint:
    def change(session: Session) -> Endpoint:
        found = endpoints.get(session, tenant, endpoint_id)
        do(session, found)
        session.flush()
        session.refresh(found)
        return found

    return await ledger.write(change, row=f"endpoint {endpoint_id}")


def _delivery(session: Session, job: Job) -> Delivery:
    attempts = [AttemptOut.of(attempt) for attempt in queries.attempts(session, job.id)]
    return Delivery(job=JobOut.of(job), type=job.payload["type"], event_id=job.event_id, attempts=attempts)


def _stored(given: EndpointIn, tenant: str) -> Endpoint:
    return Endpoint(
        id=uuid7(),
        tenant=tenant,
        url=given.url,
        description=given.description,
        types=given.types,
        where=given.filter,
        headers=given.headers,
        secrets=[{"secret": given.secret or endpoints.new_secret(), "until": None}],
        created_at=clock.now(),
        revision=1,
    )
