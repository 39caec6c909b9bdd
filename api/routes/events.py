"""/v1/events: what happened, and what it set off."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from api import cloudevents
from api.auth import Reader, Writer
from api.body import StrictRoute
from api.bulk import PATIENCE
from api.dependencies import InLedger, RequestId
from api.events import Accepted, AllAccepted, EventDetail, EventOut, EventPage, RangeIn, Replayed, ReplayIn, Trial, WouldFire
from api.idempotency import IdempotencyKey
from api.problems import Refused
from api.schemas import Time
from jobs import events, firing, inbox
from jobs.errors import Invalid
from jobs.inbox import Wanted
from jobs.matching.rulebook import Rule
from runtime import clock
from tasks import catalogue

router = APIRouter(prefix="/v1/events", tags=["events"], route_class=StrictRoute)

AT_ONCE = 200  # events that one replay of a time range sets off
_EXAMPLE = {"type": "order.paid", "id": "order-7", "data": {"order": 7, "amount": 1200, "currency": "EUR"}}
_CLOUD = {"specversion": "1.0", "source": "/shop", **_EXAMPLE}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": cloudevents.PlainEvent.model_json_schema(), "example": _EXAMPLE},
            cloudevents.STRUCTURED: {"schema": cloudevents.CloudEvent.model_json_schema(), "example": _CLOUD},
            cloudevents.BATCH: {
                "schema": {
                    "type": "array",
                    "items": cloudevents.CloudEvent.model_json_schema(),
                    "minItems": 1,
                    "maxItems": 1000,
                },
                "example": [_CLOUD],
            },
        },
    }
}


@router.post("", status_code=202, openapi_extra=_BODY, responses={200: {"model": Accepted, "description": "Known already."}})
async def send_event(
    request: Request, response: Response, caller: Writer, ledger: InLedger, request_id: RequestId, key: IdempotencyKey = None
) -> Accepted | AllAccepted:
    """Accept an event, or a batch. It and the jobs that it sets off are one transaction."""
    arrivals, batch = cloudevents.read(request.headers, await request.body(), key)
    recorded = await ledger.write(
        lambda session: events.record(session, arrivals, caller.tenant, request_id),
        row=cloudevents.names(arrivals),
        patience=PATIENCE if batch else None,
    )
    if batch:
        return AllAccepted(events=[Accepted.of(each) for each in recorded])
    response.headers["Location"] = f"/v1/events/{recorded[0].id}"
    if recorded[0].duplicate:
        response.status_code = 200
    return Accepted.of(recorded[0])


@router.post("/test", openapi_extra=_BODY)
async def try_event(request: Request, caller: Reader, ledger: InLedger) -> Trial:
    """Say which rules an event would set off, and with what payload. Nothing is stored."""
    if caller.blind:
        raise Refused("forbidden", "This shows payloads, and this key does not see them.")
    arrivals, _ = cloudevents.read(request.headers, await request.body())
    now = clock.now()
    if len(arrivals) != 1:
        raise Invalid.at("", "One event at a time.")
    (arrival,) = arrivals
    rules = await ledger.read(lambda session: events.matching(session, arrival, caller.tenant))
    orders = [(rule, firing.order(rule, arrival, UUID(int=0), now, {})) for rule in rules]
    would = [
        WouldFire(
            rule=rule.name, task=order.task, payload=order.payload, run_at=order.run_at, errors=_errors(rule, order.payload)
        )
        for rule, order in orders
    ]
    return Trial(matched=len(would), would=would)


@router.post("/replay", status_code=202)
async def replay_events(given: RangeIn, caller: Writer, ledger: InLedger) -> Replayed:
    """Set off the rules of a time range's events again, newest first, 200 events a request."""
    wanted = Wanted(given.type, given.dead, given.since, given.until)

    def replay(session: Session) -> Replayed:
        found = inbox.page(session, caller.tenant, wanted, AT_ONCE, given.cursor)
        jobs = [job for event in found for job in events.replay(session, event, given.rules)]
        return Replayed(events=len(found), jobs=jobs, next_cursor=found[-1].id if len(found) == AT_ONCE else None)

    return await ledger.write(replay, patience=PATIENCE)


@router.get("")
async def list_events(
    caller: Reader,
    ledger: InLedger,
    type: Annotated[str | None, Query(max_length=255)] = None,  # noqa: A002 - the attribute's own name
    dead: bool = False,
    since: Time | None = None,
    until: Time | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: UUID | None = None,
) -> EventPage:
    """Events, newest first. `dead=true`: those that nobody listened to."""
    wanted = Wanted(type, dead, since, until)
    found = await ledger.read(lambda session: inbox.page(session, caller.tenant, wanted, limit + 1, cursor))
    shown = [EventOut.of(event) for event in found[:limit]]
    return EventPage(events=shown, next_cursor=shown[-1].id if len(found) > limit else None)


@router.get("/{event_id}")
async def get_event(event_id: UUID, caller: Reader, ledger: InLedger) -> EventDetail:
    """An event's life: received, matched, the jobs that it made, and where it was delivered."""

    def look(session: Session) -> EventDetail:
        event = inbox.get(session, caller.tenant, event_id)
        jobs = inbox.jobs_of(session, [event_id]).get(event_id, ())
        return EventDetail.whole(event, jobs)

    return await ledger.read(look)


@router.post("/{event_id}/replay", status_code=202)
async def replay_event(event_id: UUID, given: ReplayIn, caller: Writer, ledger: InLedger) -> Replayed:
    """Set off an event's rules again, as they are now."""

    def replay(session: Session) -> Replayed:
        event = inbox.get(session, caller.tenant, event_id)
        return Replayed(events=1, jobs=events.replay(session, event, given.rules))

    return await ledger.write(replay)


def _errors(rule: Rule, payload: Any) -> list[dict[str, str]]:
    try:
        catalogue.find(rule.task).read(payload)
    except Invalid as error:
        return error.errors
    return []
