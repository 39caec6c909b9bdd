"""/v1/jobs/{id}/events"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse

from api.auth import Reader
from api.dependencies import InLedger
from api.streams import InStreams
from jobs import happenings, queries
from jobs.happenings import Position
from jobs.states import FINAL

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_STREAM = {"text/event-stream": {"schema": {"type": "string"}}}


@router.get(
    "/{job_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {"description": "Events of the job, until it is final.", "content": _STREAM},
        204: {"description": "The job is final, and all was told: an EventSource does not come again."},
    },
)
async def stream_job(
    job_id: UUID,
    caller: Reader,
    ledger: InLedger,
    streams: InStreams,
    last_event_id: Annotated[str | None, Header(max_length=100, description="Go on behind this event.")] = None,
) -> Response:
    """What happens to a job, live, as server-sent events: `started`, `line`, `progress`, `ended`, `finished`.

    Whoever comes again with `Last-Event-ID` is told everything that happened meanwhile, each event once. Without it the
    stream begins with the job. `job` events have no id: they show how the job stands now.
    """
    position = Position.parse(last_event_id) if last_event_id else Position()
    job = await ledger.read(lambda session: queries.get(session, caller.tenant, job_id))
    if job.state in FINAL and not any(h.is_news(position) for h in happenings.end(job)):
        return Response(status_code=204)
    return StreamingResponse(streams.of(job_id, position), media_type="text/event-stream")
