"""The door's measure of a job before it is accepted: whether its caller is within its share, and its queue not too late.

A caller is an API key. So many of its jobs may wait in a queue at their own priority; what it sends beyond that is taken as
low. So who floods a queue delays itself, and finds out: a queue that is late is late for a priority, and refuses that one.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Integer, bindparam, func, select
from sqlalchemy.orm import Session

from jobs import flow
from jobs.errors import Overloaded
from jobs.model import Job
from jobs.order import Order
from jobs.states import State
from runtime import clock
from runtime.database import Instant
from runtime.prepared import Prepared
from runtime.settings import settings

LOW = 0
KEEP = 0.25  # seconds for which a process remembers what it counted
LONGEST_WAIT = timedelta(minutes=1)  # that a caller is asked for


def admit(session: Session, order: Order, now: datetime) -> Order:
    """The order as it is taken. What no caller sends, and what is not to run yet, is taken as it is.

    Raises:
        Overloaded: jobs of its priority wait in its queue for longer than the setting shed_after.
    """
    if order.caller is None or (order.run_at is not None and order.run_at > now):
        return order
    if settings().fair_share and order.priority > LOW and not shares.take(session, order.caller, order.queue, now):
        order = replace(order, priority=LOW)
    longest = settings().shed_after
    if longest is not None and lateness.of(session, order.queue, order.priority, now) > longest:
        raise Overloaded(order.queue, after=min(longest / 4, LONGEST_WAIT))
    return order


_WAITING = (
    select(Job.id)
    .where(Job.caller == bindparam("caller"), Job.queue == bindparam("queue"), Job.priority > LOW, Job.finished_at.is_(None))
    .where(Job.state.in_((State.SCHEDULED, State.QUEUED)), Job.parked_at.is_(None))
    .where(Job.run_at <= bindparam("now", type_=Instant))
    .limit(bindparam("most", type_=Integer))
)
_HOW_MANY = Prepared(select(func.count()).select_from(_WAITING.subquery()), "caller", "queue", "now", "most")


class Shares:
    """How many more jobs each caller may have waiting at their own priority, by queue."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, str], tuple[float, int]] = {}

    def take(self, session: Session, caller: str, queue: str, now: datetime) -> bool:
        """Take one place of the caller's share. False if none is left."""
        until, left = self._left.get((caller, queue), (0.0, 0))
        if clock.monotonic() >= until:
            ((waiting,),) = _HOW_MANY.returned(session.connection(), caller, queue, now, settings().fair_share)
            until, left = clock.monotonic() + KEEP, settings().fair_share - waiting
        self._left[caller, queue] = (until, max(0, left - 1))
        return left > 0


class Lateness:
    """For how long the oldest job has waited that is due, by queue and least priority."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, int], tuple[float, datetime | None]] = {}

    def of(self, session: Session, queue: str, priority: int, now: datetime) -> timedelta:
        """Of the jobs of this priority and above; a paused queue is late on purpose, and counts as punctual."""
        until, since = self._since.get((queue, priority), (0.0, None))
        if clock.monotonic() >= until:
            since = None if flow.is_paused(session, queue) else flow.oldest_ready(session, queue, now, priority)
            self._since[queue, priority] = (clock.monotonic() + KEEP, since)
        return now - since if since is not None else timedelta(0)


shares, lateness = Shares(), Lateness()
"""What this process remembers."""
