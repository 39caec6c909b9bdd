"""/v1/queues"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api.auth import Admin, JobReader
from api.body import StrictRoute
from api.dependencies import InLedger
from api.problems import Refused
from api.routes.bulk_actions import PREVIEWED, ActionOut
from api.schemas import CountOut
from jobs import bulk_actions, lanes, queues
from jobs.errors import Invalid
from jobs.lanes import Lane

router = APIRouter(prefix="/v1/queues", tags=["queues"], route_class=StrictRoute)


class QueueOut(BaseModel):
    """How a queue stands."""

    name: str
    paused: bool
    paused_at: datetime | None
    max_running: int | None = Field(description="Jobs at once, over all workers.")
    rate: float | None = Field(description="Starts a second, over all workers.")
    scheduled: int = Field(description=f"As the other counts, {lanes.MOST} of a kind: at least so many.")
    queued: int
    running: int
    oldest_ready_seconds: float | None
    finished_per_minute: float = Field(description="By the last minute.")
    workers: int = Field(description="That are alive and serve it.")
    slots: int = Field(description="Jobs that these run at once.")

    @classmethod
    def of(cls, lane: Lane) -> "QueueOut":
        """A queue as the door shows it."""
        age = lane.oldest_ready.total_seconds() if lane.oldest_ready is not None else None
        same = ("name", "paused_at", "max_running", "rate", "scheduled", "queued", "running", "workers", "slots")
        more = {"paused": lane.paused_at is not None, "oldest_ready_seconds": age, "finished_per_minute": lane.finished}
        return cls(**{name: getattr(lane, name) for name in same}, **more)


class QueueList(BaseModel):
    """All queues."""

    queues: list[QueueOut]


class LimitsIn(BaseModel):
    """The limits to change; null takes one away, and what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    max_running: Annotated[
        int | None, Field(strict=True, ge=1, le=100_000, description="Jobs at once, over all workers.")
    ] = None
    rate: Annotated[
        float | None, Field(strict=True, ge=0.001, le=100_000, description="Starts a second, over all workers.")
    ] = None


@router.get("")
async def list_queues(caller: JobReader, ledger: InLedger) -> QueueList:
    """All queues: what waits and since when, what runs, how fast, by how many workers, and within which limits."""
    found = [lane for lane in await ledger.read(lanes.lanes) if caller.reach.covers_queue(lane.name)]
    return QueueList(queues=[QueueOut.of(lane) for lane in found])


@router.get("/{name}")
async def get_queue(name: str, caller: JobReader, ledger: InLedger) -> QueueOut:
    """One queue."""
    _find(name)
    if not caller.reach.covers_queue(name):
        raise Refused("forbidden", f"This key does not reach the queue {name!r}.")
    return QueueOut.of(await ledger.read(partial(lanes.lane, name=name)))


@router.patch("/{name}")
async def limit_queue(name: str, given: LimitsIn, caller: Admin, ledger: InLedger) -> QueueOut:
    """Limit how many jobs of the queue run at once, or start a second. Stored; it holds for the whole backlog at once."""
    return await _change(ledger, name, partial(queues.limit, caller=caller, **given.model_dump(exclude_unset=True)))


@router.post("/{name}/pause")
async def pause_queue(name: str, caller: Admin, ledger: InLedger) -> QueueOut:
    """Start no more jobs of this queue; running ones go on. Kept over restarts."""
    return await _change(ledger, name, partial(queues.pause, caller=caller))


@router.post("/{name}/resume")
async def resume_queue(name: str, caller: Admin, ledger: InLedger) -> QueueOut:
    """Start jobs of this queue again."""
    return await _change(ledger, name, partial(queues.resume, caller=caller))


@router.post(
    "/{name}/purge",
    status_code=202,
    response_model=ActionOut | CountOut,
    responses=PREVIEWED,
)
async def purge_queue(
    name: str,
    response: Response,
    caller: Admin,
    ledger: InLedger,
    preview: Annotated[bool, Query(description="Do nothing; say how many jobs would be cancelled.")] = False,
    rate: Annotated[float | None, Query(ge=1, le=100_000, description="Jobs a second, at most.")] = None,
) -> ActionOut | CountOut:
    """Cancel every job that waits in this queue now, in the background; running ones go on. It is a bulk action."""
    _find(name)
    if preview:
        response.status_code = 200
        return CountOut.of(await ledger.read(partial(bulk_actions.waiting, tenant=caller.tenant, queue=name)))
    action = await ledger.write(partial(queues.purge, name=name, caller=caller, rate=rate))
    response.headers["Location"] = f"/v1/bulk-actions/{action.id}"
    return ActionOut.of(action)


async def _change(ledger: InLedger, name: str, change: Callable[..., None]) -> QueueOut:
    _find(name)

    def do(session: Session) -> Lane:
        change(session, name)
        return lanes.lane(session, name)

    return QueueOut.of(await ledger.write(do, row=f"queue {name}"))


def _find(name: str) -> None:
    try:
        queues.check(name)
    except Invalid as unknown:
        raise Refused("not-found", unknown.errors[0]["detail"]) from None
