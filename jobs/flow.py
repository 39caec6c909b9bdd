"""From the ledger to the queues: how much of a queue's backlog is in the broker at once, and what goes next.

The broker holds a shallow window of each queue; the rest waits in the ledger, where priority, pause and cancel act on it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, Select, bindparam, func, or_, select
from sqlalchemy.orm import Session

from jobs import holds, limits, line, store
from jobs.line import PRIORITIES
from jobs.model import Hold, Job, Queue
from jobs.states import State
from runtime import clock
from runtime.afterwards import after_commit
from runtime.broker import Hint
from runtime.database import Instant, ask
from runtime.prepared import Prepared
from runtime.publisher import publisher
from runtime.settings import settings

MOST_PARKED = 20  # windows of jobs put aside in one transaction

_OUT = (
    select(Job.priority)
    .where(Job.state == State.QUEUED, Job.queue == bindparam("queue"))
    .limit(bindparam("most", type_=Integer))
    .subquery()
)
_HINTED = Prepared(select(_OUT.c.priority, func.count()).group_by(_OUT.c.priority), "queue", "most")
_KEPT = Prepared(
    select(Queue.name).where(
        Queue.name == bindparam("queue"),
        or_(Queue.paused_at.is_not(None), Queue.max_running.is_not(None), Queue.rate.is_not(None)),
    ),
    "queue",
)
_DUE = line.waiting(
    Job.parked_at.is_(None),
    Job.queue == bindparam("queue"),
    Job.run_at <= bindparam("now", type_=Instant),
    asked=("queue", "now"),
)
_TIMES = select(Job.run_at).where(Job.state == State.SCHEDULED, Job.parked_at.is_(None)).order_by(Job.run_at).limit(1)
_LATER = _TIMES.where(Job.run_at > bindparam("now", type_=Instant))
_UNCLAIMED = (
    select(Job.queue).where(Job.state == State.QUEUED, Job.hinted_at < bindparam("before", type_=Instant)).distinct()
)


def hint(job: Job) -> Hint:
    """What the broker is told of a job."""
    return Hint(job.id, job.task, job.queue, job.priority)


def offer(session: Session, hints: Sequence[Hint]) -> None:
    """Send the hints once the session has committed."""
    if hints:
        after_commit(session, lambda: publisher.offer(hints))


def rooms(session: Session, queue: str) -> list[int]:
    """How many more hints of each priority, from 0, the queue's window and its limits take; 0 while it is paused.

    Hints of less important jobs do not count in the window, so that none of them holds up a more important one.
    """
    lane = session.get(Queue, queue)
    if lane is not None and lane.paused_at is not None:
        return [0] * len(PRIORITIES)
    most = None if lane is None else limits.free(session, lane, clock.now(), settings().hint_window)
    left = _left(session, queue)
    return left if most is None else [min(most, each) for each in left]


def _left(session: Session, queue: str) -> list[int]:
    """The same, of the window alone."""
    window = settings().hint_window
    hinted = [*_HINTED.returned(session.connection(), queue, window * len(PRIORITIES))]
    return [window - sum(count for p, count in hinted if p >= priority) for priority in sorted(PRIORITIES)]


def due(session: Session, queue: str, now: datetime, limit: int, priorities: Sequence[int] = PRIORITIES) -> list[UUID]:
    """The next jobs of a queue that could run now: by priority, then by the time they were due."""
    return line.first(session, _DUE, limit, priorities, queue, now)


def due_within(session: Session, queue: str, now: datetime, free_for: Sequence[int], taken: int = 0) -> list[UUID]:
    """The same, as far as there is room for their priority (see `rooms`) beside `taken` more."""
    found: list[UUID] = []
    for priority in PRIORITIES:
        free = free_for[priority] - taken - len(found)
        if free > 0:
            found += due(session, queue, now, free, (priority,))
    return found


def first_due() -> datetime | None:
    """The first time of all jobs that wait, for it or for room: an idle scheduler's question. None if there is none."""
    return next((at for (at,) in ask(_TIMES)), None)


def next_due(now: datetime) -> datetime | None:
    """The first time still to come."""
    return next((at for (at,) in ask(_LATER, now=now)), None)


def is_wanting(session: Session, queue: str, free: Iterable[Hold], now: datetime) -> bool:
    """Whether the queue has room for a job that is due, or parked for an account that lets some go. Only reads.

    Which jobs go, the feed asks itself: before it holds the queue's row, they may be parked, or the queue paused.
    """
    free_for = rooms(session, queue)
    if free_for[PRIORITIES[0]] <= 0:
        return False
    parked = any(holds.any_parked(session, hold.account, queue) for hold in free)
    return parked or any(free_for[p] > 0 and due(session, queue, now, 1, (p,)) for p in PRIORITIES)


def feed(session: Session, queue: str, now: datetime) -> int:
    """Release what is due into the queue's window; first what held accounts let go. Returns how many jobs went."""
    lane = session.get(Queue, queue, with_for_update=True)  # before holds and jobs: whoever feeds a limited queue is alone
    free_for, in_order = rooms(session, queue), list[UUID]()
    free = free_for[PRIORITIES[-1]]
    if free <= 0 and lane is not None and (lane.paused_at is not None or limits.is_limited(lane)):
        return 0
    if held := holds.locked(session):
        _park(session, queue, held, now)
        for hold in held.values():
            in_order += holds.take(session, hold, queue, now, free - len(in_order))
    in_order += due_within(session, queue, now, free_for, taken=len(in_order))
    if not in_order:
        return 0
    released = store.release(session, in_order, now)
    limits.spend(lane, len(released), now)
    offer(session, released)
    return len(released)


def _park(session: Session, queue: str, held: dict[str, Hold], now: datetime) -> None:
    """Put the due jobs of held accounts aside, so that no later round meets them."""
    for _ in range(MOST_PARKED):
        met = due(session, queue, now, settings().hint_window)
        theirs = {job_id: account for account, job_id in session.execute(_accounts(met, held))} if met else {}
        if not theirs:
            return
        for hold in held.values():
            if jobs := [job_id for job_id, account in theirs.items() if account == hold.account]:
                store.park(session, jobs, hold.why, now)


def _accounts(jobs: Iterable[UUID], held: Iterable[str]) -> Select[str | None, UUID]:
    return select(Job.account, Job.id).where(Job.id.in_(jobs), Job.account.in_(held))


def queues_unclaimed(before: datetime) -> list[str]:
    """The queues with a hint sent before `before` that no worker has taken: an idle scheduler's question."""
    return [queue for (queue,) in ask(_UNCLAIMED, before=before)]


def unclaimed(session: Session, queue: str, before: datetime) -> Sequence[UUID]:
    """Jobs whose hint was sent before `before` and which no worker has taken."""
    query = select(Job.id).where(Job.state == State.QUEUED, Job.queue == queue, Job.hinted_at < before)
    return session.scalars(query.order_by(Job.hinted_at).limit(settings().hint_window * len(PRIORITIES))).all()


def oldest_ready(session: Session, queue: str, now: datetime, priority: int = 0) -> datetime | None:
    """Since when the job of this priority or above that has waited longest could have run; None if none waits."""
    firsts = [
        select(func.min(Job.run_at)).where(
            Job.state == State.SCHEDULED,
            Job.parked_at.is_(None),
            Job.queue == queue,
            Job.priority == p,
            Job.run_at <= now,
        )
        for p in PRIORITIES
        if p >= priority
    ]
    hinted = Job.state == State.QUEUED, Job.queue == queue, Job.priority >= priority
    firsts.append(select(func.min(Job.run_at)).where(*hinted))
    times = [time for query in firsts if (time := session.scalars(query).one()) is not None]
    return min(times, default=None)


def is_paused(session: Session, queue: str) -> bool:
    """Whether someone has paused the queue."""
    return session.scalars(select(Queue.paused_at).where(Queue.name == queue)).one_or_none() is not None


class Window:
    """A process's own short memory of how much room each queue has, so that a submission need not count."""

    KEEP = 0.25  # seconds

    def __init__(self) -> None:
        self._left: dict[tuple[str, int], tuple[float, int]] = {}

    def take(self, session: Session, queue: str, now: datetime, priority: int = 0) -> bool:
        """Whether a job may go straight to the queue: there is room, and no backlog that it would overtake."""
        until, left = self._left.get((queue, priority), (0.0, 0))
        if clock.monotonic() >= until:
            until, left = clock.monotonic() + self.KEEP, self._count(session, queue, now, priority)
        self._left[queue, priority] = (until, max(0, left - 1))
        return left > 0

    @staticmethod
    def _count(session: Session, queue: str, now: datetime, priority: int) -> int:
        if _KEPT.returned(session.connection(), queue).rows:  # paused, or limited: then only the feed lets its jobs go
            return 0
        equals = [p for p in PRIORITIES if p >= priority]
        return 0 if due(session, queue, now, 1, equals) else _left(session, queue)[priority]


window = Window()
"""The window of this process."""
