"""/v1/endpoints: who is told of events, by signed webhooks."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from api.auth import Admin, Reader, Writer
from api.body import StrictRoute
from api.dependencies import InLedger
from api.endpoints import (
    Delivery,
    DeliveryPage,
    Enabled,
    EndpointChange,
    EndpointIn,
    EndpointList,
    EndpointOut,
    Rotation,
    Secrets,
)
from api.schemas import AttemptOut, JobOut
from jobs import audit, endpoints, queries
from jobs.errors import Invalid
from jobs.keys import Caller
from jobs.model import Endpoint, Job
from runtime import clock

router = APIRouter(prefix="/v1/endpoints", tags=["events"], route_class=StrictRoute)


@router.post("", status_code=201)
async def create_endpoint(given: EndpointIn, response: Response, caller: Writer, ledger: InLedger) -> EndpointOut:
    """Store an endpoint. It is told of each event that is accepted from now on and fits."""

    def add(session: Session) -> Endpoint:
        made = _stored(given, caller.tenant)
        endpoints.add(session, made)
        audit.note(session, caller, "endpoint.create", made.id)
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
        await _change(ledger, caller, "change", endpoint_id, lambda s, one: endpoints.change(s, one, **changes))
    )


@router.delete("/{endpoint_id}", status_code=204)
async def delete_endpoint(endpoint_id: UUID, caller: Writer, ledger: InLedger) -> None:
    """Delete an endpoint. Deliveries that wait fail."""

    def remove(session: Session) -> None:
        endpoints.remove(session, caller.tenant, endpoint_id)
        audit.note(session, caller, "endpoint.delete", endpoint_id)

    await ledger.write(remove, row=f"endpoint {endpoint_id}")


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
        ledger, caller, "rotate", endpoint_id, lambda s, one: endpoints.rotate(s, one, secret, given.overlap)
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
        await _change(ledger, caller, "disable", endpoint_id, lambda s, one: endpoints.disable(s, one, "by hand"))
    )


@router.post("/{endpoint_id}/enable")
async def enable_endpoint(endpoint_id: UUID, caller: Writer, ledger: InLedger) -> Enabled:
    """Take it up again: what waits goes at once, and what failed since it began to fail is revived."""
    revived = 0

    def enable(session: Session, one: Endpoint) -> None:
        nonlocal revived
        revived = endpoints.enable(session, one)

    changed = await _change(ledger, caller, "enable", endpoint_id, enable)
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


async def _change(
    ledger: InLedger, caller: Caller, what: str, endpoint_id: UUID, do: Callable[[Session, Endpoint], object]
) -> Endpoint:
    def change(session: Session) -> Endpoint:
        found = endpoints.get(session, caller.tenant, endpoint_id)
        do(session, found)
        audit.note(session, caller, f"endpoint.{what}", endpoint_id)
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
