"""The limits of a queue: so many jobs at once, so many starts a second, over all workers.

Of a limited queue every job goes by the feed, which locks the queue's row: so the limits hold to the job, however many
schedulers and APIs run. A hint that is out counts as running, since a worker may take it this moment.
"""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs import queries
from jobs.model import Job, Queue
from jobs.states import State

BURST = timedelta(seconds=1)  # what a late feed makes up for


def is_limited(lane: Queue | None) -> bool:
    """Whether the queue has a limit."""
    return lane is not None and (lane.max_running is not None or lane.rate is not None)


def free(session: Session, lane: Queue, now: datetime, most: int) -> int:
    """How many more jobs the limits let go now, counted up to `most`."""
    if lane.max_running is not None:
        most = min(most, lane.max_running - busy(session, lane.name, lane.max_running))
    if lane.rate is not None:
        most = min(most, int((now - _paced_to(lane, lane.rate, now)).total_seconds() * lane.rate + 1e-6))
    return max(0, most)


def spend(lane: Queue | None, jobs: int, now: datetime) -> None:
    """So many jobs went. The row must be locked."""
    if lane is not None and lane.rate is not None:
        lane.paced_to = _paced_to(lane, lane.rate, now) + jobs * _apart(lane.rate)


def next_start(lane: Queue, now: datetime) -> datetime | None:
    """When the rate lets the next job go; None if it does now, or there is none."""
    if lane.rate is None:
        return None
    at = _paced_to(lane, lane.rate, now) + _apart(lane.rate)
    return at if at > now else None


def busy(session: Session, queue: str, most: int) -> int:
    """How many jobs of the queue run, or may any moment; counted up to `most`."""
    kinds = [select(1).where(Job.state == state, Job.queue == queue) for state in (State.RUNNING, State.QUEUED)]
    return sum(queries.how_many(session, kind.limit(most)) for kind in kinds)


def _paced_to(lane: Queue, rate: float, now: datetime) -> datetime:
    earliest = now - max(BURST, _apart(rate))
    return max(lane.paced_to or earliest, earliest)


def _apart(rate: float) -> timedelta:
    return timedelta(seconds=1 / rate)
