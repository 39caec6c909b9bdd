"""Lanes: pausing and resuming them, and how they stand."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from jobs import flow, queries
from jobs.errors import Invalid
from jobs.model import Queue
from jobs.states import State
from runtime import clock
from runtime.database import insert
from runtime.settings import settings


@dataclass(frozen=True)
class Lane:
    """How a queue stands."""

    name: str
    paused_at: datetime | None
    scheduled: int
    queued: int
    running: int
    oldest_ready: timedelta | None


def check(name: str) -> str:
    """The name itself.

    Raises:
        Invalid: no queue is so called, so no worker would ever take the job.
    """
    if name not in settings().queues:
        known = ", ".join(settings().queues)
        raise Invalid.at("/queue", f"There is no queue {name!r}. The queues are: {known}. Add one with TREADLE_QUEUES.")
    return name


def pause(session: Session, name: str) -> None:
    """Stop starting jobs of this queue, those already hinted included; running ones go on."""
    check(name)
    session.execute(insert(session, Queue).values(name=name).on_conflict_do_nothing())
    session.execute(update(Queue).where(Queue.name == name, Queue.paused_at.is_(None)).values(paused_at=clock.now()))


def resume(session: Session, name: str) -> None:
    """Start jobs of this queue again."""
    check(name)
    lane = session.get(Queue, name)
    if lane is not None:
        lane.paused_at = None


def lanes(session: Session) -> list[Lane]:
    """All queues, as they stand."""
    now, counts = clock.now(), queries.open_counts(session)
    paused = {queue.name: queue.paused_at for queue in queries.queues(session)}
    found = []
    for name in dict.fromkeys((*settings().queues, *counts)):
        states, oldest = counts.get(name, {}), flow.oldest_ready(session, name, now)
        waiting, hinted, running = (states.get(state, 0) for state in (State.SCHEDULED, State.QUEUED, State.RUNNING))
        found.append(Lane(name, paused.get(name), waiting, hinted, running, now - oldest if oldest else None))
    return found


def lane(session: Session, name: str) -> Lane:
    """One queue, as it stands."""
    session.flush()
    return next(lane for lane in lanes(session) if lane.name == name)
