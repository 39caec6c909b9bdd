"""/v1/queues"""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session

from api.auth import Admin, Reader
from api.dependencies import InLedger
from api.problems import Refused
from jobs import queues
from jobs.errors import Invalid
from jobs.queues import Lane

router = APIRouter(prefix="/v1/queues", tags=["queues"])


class QueueOut(BaseModel):
    """How a queue stands."""

    name: str
    paused: bool
    paused_at: datetime | None
    scheduled: int
    queued: int
    running: int
    oldest_ready_seconds: float | None

    @classmethod
    def of(cls, lane: Lane) -> "QueueOut":
        """A queue as the door shows it."""
        age = lane.oldest_ready.total_seconds() if lane.oldest_ready is not None else None
        counts = {"scheduled": lane.scheduled, "queued": lane.queued, "running": lane.running}
        return cls(
            name=lane.name, paused=lane.paused_at is not None, paused_at=lane.paused_at, oldest_ready_seconds=age, **counts
        )


class QueueList(BaseModel):
    """All queues."""

    queues: list[QueueOut]


@router.get("")
async def list_queues(caller: Reader, ledger: InLedger) -> QueueList:
    """All queues, with what waits, what runs, and since when the oldest job could have run."""
    return QueueList(queues=[QueueOut.of(lane) for lane in await ledger.read(queues.lanes)])


@router.post("/{name}/pause")
async def pause_queue(name: str, caller: Admin, ledger: InLedger) -> QueueOut:
    """Start no more jobs of this queue; running ones go on. Kept over restarts."""

    _find(name)

    def pause(session: Session) -> Lane:
        queues.pause(session, name)
        return queues.lane(session, name)

    return QueueOut.of(await ledger.write(pause, row=f"queue {name}"))


@router.post("/{name}/resume")
async def resume_queue(name: str, caller: Admin, ledger: InLedger) -> QueueOut:
    """Start jobs of this queue again."""

    _find(name)

    def resume(session: Session) -> Lane:
        queues.resume(session, name)
        return queues.lane(session, name)

    return QueueOut.of(await ledger.write(resume, row=f"queue {name}"))


def _find(name: str) -> None:
    try:
        queues.check(name)
    except Invalid as unknown:
        raise Refused("not-found", unknown.errors[0]["detail"]) from None
