"""/v1/stream, and /v1/jobs/{id}/events"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, cast
from uuid import UUID

import structlog
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from api import deflate
from api.auth import JobReader
from api.deflate import Chunk
from api.dependencies import InLedger
from api.filters import Name
from api.schemas import QueueName, Tag, TaskName
from api.streams import InStreams
from api.watchers import Wanted
from jobs import happenings, queries
from jobs.happenings import Position
from jobs.journal import Place
from jobs.states import FINAL, State
from runtime.duration import Duration

router = APIRouter()
log = structlog.get_logger()

STUCK = 30.0  # seconds after which a client that reads nothing is let go

_EVENT = {"type": "object", "properties": {field: {"type": "string"} for field in ("event", "data", "id")}}
_STREAM = {"text/event-stream": {"schema": _EVENT}}  # as of OpenAPI 3.2: that of one event
_LAST = "Go on behind this event."


class EventStream(StreamingResponse):
    """Server-sent events. A client that has stopped reading, and does not leave, is let go."""

    media_type = "text/event-stream"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, compressed if the client takes it."""
        if deflate.is_accepted(Headers(scope=scope).get("accept-encoding", "")):
            self.headers["content-encoding"] = "deflate"
            self.body_iterator = deflate.deflated(cast("AsyncIterator[Chunk]", self.body_iterator))
        await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send it all."""
        now = asyncio.get_running_loop().time

        async def in_time(message: Message) -> None:
            limit.reschedule(now() + STUCK)
            await send(message)
            limit.reschedule(None)

        try:
            async with asyncio.timeout(None) as limit:
                await super().stream_response(in_time)
        except TimeoutError:
            log.info("a stream's client has stopped reading")


@router.get(
    "/v1/jobs/{job_id}/events",
    tags=["jobs"],
    response_class=EventStream,
    responses={
        200: {"description": "Events of the job, until it is final.", "content": _STREAM},
        204: {"description": "The job is final, and all was told: an EventSource does not come again."},
    },
)
async def stream_job(
    job_id: UUID,
    caller: JobReader,
    ledger: InLedger,
    streams: InStreams,
    last_event_id: Annotated[str | None, Header(max_length=100, description=_LAST)] = None,
) -> Response:
    """What happens to a job, live, as server-sent events: `started`, `line`, `progress`, `ended`, `finished`.

    Whoever comes again with `Last-Event-ID` is told everything that happened meanwhile, each event once. Without it the
    stream begins with the job. `job` events have no id: they show how the job stands now.
    """
    position = Position.parse(last_event_id) if last_event_id else Position()
    job = await ledger.read(lambda session: queries.get(session, caller.tenant, job_id, caller.reach))
    if job.state in FINAL and not any(h.is_news(position) for h in happenings.end(job)):
        return Response(status_code=204)
    streams.check()
    return EventStream(streams.of(job_id, position, blind=caller.blind), headers=_HEADERS)


@router.get(
    "/v1/stream",
    tags=["stream"],
    response_class=EventStream,
    responses={200: {"description": "Events, until the client leaves.", "content": _STREAM}},
)
async def stream_all(
    caller: JobReader,
    streams: InStreams,
    queue: QueueName | None = None,
    task: TaskName | None = None,
    tag: Tag | None = None,
    state: Annotated[State | None, Query(description="Only moves into this state.")] = None,
    account: Name | None = None,
    lines: Annotated[bool, Query(description="What tasks say, too: `line` and `progress`.")] = False,
    seconds: Annotated[
        Duration | None,
        Query(alias="for", ge=timedelta(0), le=timedelta(days=1), description="End after this long; never, if not given."),
    ] = None,
    last_event_id: Annotated[str | None, Header(max_length=100, description=_LAST)] = None,
) -> Response:
    """What happens to all jobs, live, as server-sent events: a `job` event for each move, with the state before and after.

    Whoever comes again with `Last-Event-ID` is told everything that happened meanwhile, each event once and in order, for
    as long as TREADLE_STREAM_WINDOW; past that, a `gap` event says so. Payloads and results are left out.
    """
    place = Place.parse(last_event_id) if last_event_id else None
    wanted = Wanted(caller.tenant, queue, task, tag, state, account, lines, caller.blind, caller.reach)
    streams.check()
    span = None if seconds is None else seconds.total_seconds()
    return EventStream(streams.all(wanted, place, span), headers=_HEADERS)


_HEADERS = {"X-Accel-Buffering": "no", "Vary": "Accept-Encoding"}  # nginx would hold events back
