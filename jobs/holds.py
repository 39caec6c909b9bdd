"""Held accounts: why their jobs wait, and how many may go now.

The feed parks each due job of a held account once, and from then on takes them by account: none while it is held, one as the
probe of an open circuit, then at a rising rate, at most the account's own. So a hold, a longer hold and the end of a hold
cost the same for ten jobs as for a million. A transaction locks the row of a hold first, then jobs.
"""

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, bindparam, exists, select, true, update
from sqlalchemy.orm import Session

from jobs import line, outbox, queries, ramp, store
from jobs.model import Cause, Hold, Job
from jobs.states import State
from runtime import clock
from runtime.database import Instant, Unavailable, ask, insert

ANSWER = timedelta(seconds=30)  # a probe that has said nothing for so long is followed by another
WELL = timedelta(minutes=1)  # after so long without a hold, the next is as short as the first
CALM = timedelta(seconds=10)  # a hold without jobs is forgotten so long after its end
UNPROBED = timedelta(minutes=10)  # and an open circuit, for which no probe came

_ALL = select(*Hold.__table__.columns)


def read() -> dict[str, Hold]:
    """All holds, by account, as they are now."""
    return {row.account: Hold(**row._mapping) for row in ask(_ALL)}  # noqa: SLF001 - a Row's public way to its names


def open_circuit(session: Session, account: str, why: str, rate: float | None, first: timedelta, most: timedelta) -> bool:
    """The account's calls fail: hold it for `first`, for twice as long each time in a row, up to `most`.

    False if its circuit is open already: then its probe decides.
    """
    hold, now = _row(session, account, rate), clock.now()
    if hold.cause is Cause.CIRCUIT:
        return False
    _stop(hold, Cause.CIRCUIT, why, now + _longer(hold, first, most, now))
    _withdraw(session, hold, now)
    outbox.tell(session, "circuit.opened", {"account": account, "why": why}, account)
    return True


def fail_probe(session: Session, account: str, why: str, first: timedelta, most: timedelta) -> None:
    """The probe of an open circuit failed: it stays open, for longer."""
    hold, now = _find(session, account), clock.now()
    if hold is not None and hold.cause is Cause.CIRCUIT:
        _stop(hold, Cause.CIRCUIT, why, now + _longer(hold, first, most, now))


def volunteer(session: Session, account: str, job: UUID) -> bool:
    """Make a job that could go elsewhere the probe of an open circuit. False if it is not time for one."""
    hold, now = _find(session, account), clock.now()
    if hold is None or hold.cause is not Cause.CIRCUIT or hold.until > now:
        return False
    hold.probe, hold.until = job, now + ANSWER
    return True


def wait(session: Session, account: str, why: str, rate: float | None, span: timedelta | None) -> None:
    """The provider asks us to wait, for `span` if it says so: all jobs of the account do.

    It has answered, so an open circuit is closed by it.
    """
    hold, now = _row(session, account, rate), clock.now()
    if span is None:
        span = timedelta(0) if hold.until > now else _longer(hold, timedelta(seconds=1), timedelta(minutes=1), now)
    asked = hold.until if hold.cause is Cause.ASKED else now
    _stop(hold, Cause.ASKED, why, max(now + span, asked))
    _withdraw(session, hold, now)


def pace(session: Session, account: str, why: str, rate: float) -> None:
    """More is wanted of the account than its rate allows: its jobs go at that rate."""
    hold = _row(session, account, rate, why)
    _withdraw(session, hold, clock.now())


def lift(session: Session, account: str) -> bool:
    """The account is well: its jobs go, at a rising rate. False if nothing held it."""
    hold = _find(session, account)
    if hold is None or hold.cause not in {Cause.CIRCUIT, Cause.ASKED}:
        return False
    if hold.cause is Cause.CIRCUIT:
        outbox.tell(session, "circuit.closed", {"account": account}, account)
    _stop(hold, Cause.RAMP, "it was held and is well again; its jobs go at a rising rate", clock.now())
    return True


def locked(session: Session) -> dict[str, Hold]:
    """All holds, by account; nobody else changes them until the session ends."""
    return {hold.account: hold for hold in session.scalars(select(Hold).order_by(Hold.account).with_for_update())}


def allowed(hold: Hold, now: datetime) -> int:
    """How many of the account's jobs may go now."""
    if hold.until > now:
        return 0
    return 1 if hold.cause is Cause.CIRCUIT else _due(hold, now) - _gone(hold, now)


def take(session: Session, hold: Hold, queue: str, now: datetime, most: int) -> list[UUID]:
    """The account's parked jobs of this queue that may go now, in their order; they count as gone."""
    if (free := min(most, allowed(hold, now))) <= 0:
        return []
    going = line.first(session, _GOING, free, line.PRIORITIES, hold.account, queue, now)
    if going and hold.cause is Cause.CIRCUIT:
        hold.probe, hold.until = going[0], now + ANSWER
    hold.released = _gone(hold, now) + len(going)
    return going


def any_parked(session: Session, account: str, queue: str | None = None) -> bool:
    """Whether a job waits for the account, in any queue or in this one."""
    parked = _parked(account) if queue is None else (*_parked(account), Job.queue == queue)
    return bool(session.scalar(select(exists().where(*parked))))


def parked(session: Session, account: str, most: int) -> int:
    """How many jobs wait for the account; counted up to `most`."""
    return queries.how_many(session, select(Job.id).where(*_parked(account)).limit(most))


def is_held(account: str | None) -> bool:
    """Whether the account had a hold a moment ago."""
    return account is not None and memory.find(account) is not None


def keeps(job: Job, now: datetime) -> bool:
    """Whether a new job must wait for its account; then it is parked from the first, and no feed meets it."""
    hold = memory.find(job.account) if job.account is not None else None
    if hold is not None:
        job.parked_at, job.waits_for = now, hold.why
    return hold is not None


def forget(session: Session, now: datetime) -> list[str]:
    """Drop the holds that are over and for which no job waits. Returns their accounts."""
    over = [hold for hold in locked(session).values() if _is_over(hold, now) and not any_parked(session, hold.account)]
    for hold in over:
        session.delete(hold)
    return [hold.account for hold in over]


def free_forgotten(session: Session, accounts: Collection[str] | None = None) -> None:
    """Let jobs go that are parked for an account (of these, or any) that nothing holds.

    A process whose memory still had a hold when it was forgotten may park one more.
    """
    forgotten = Job.parked_at.is_not(None) & Job.account.not_in(select(Hold.account))
    theirs = Job.account.in_(accounts) if accounts is not None else true()
    session.execute(update(Job).where(forgotten, theirs).values(parked_at=None))


class Memory:
    """A process's own short memory of the holds, so that a submission or a call need not ask for them."""

    KEEP = 0.25  # seconds

    def __init__(self) -> None:
        self._until = 0.0
        self._holds: dict[str, Hold] = {}

    def find(self, account: str, *, fresh: bool = False) -> Hold | None:
        """The account's hold, if it had one a moment ago; as it is now, if it must be `fresh` and the ledger answers."""
        if fresh or clock.monotonic() >= self._until:
            self._until = clock.monotonic() + self.KEEP
            with suppress(*Unavailable):
                self._holds = read()
        return self._holds.get(account)


memory = Memory()
"""The memory of this process."""


def _find(session: Session, account: str) -> Hold | None:
    return session.get(Hold, account, with_for_update=True, populate_existing=True)


def _row(session: Session, account: str, rate: float | None, why: str = "") -> Hold:
    """The account's hold, locked; a new one only slows the account to its rate."""
    now = clock.now()
    row = {"account": account, "cause": Cause.RATE, "why": why, "since": now, "until": now, "times": 0, "released": 0}
    session.execute(insert(session, Hold).values(row).on_conflict_do_nothing())
    hold = _find(session, account)
    assert hold is not None  # noqa: S101 - it was there, or is now
    hold.rate = rate
    return hold


def _stop(hold: Hold, cause: Cause, why: str, until: datetime) -> None:
    if hold.cause is not cause:
        hold.cause, hold.since = cause, clock.now()
    hold.why, hold.until, hold.released, hold.probe = why[:200], until, 0, None


def _longer(hold: Hold, first: timedelta, most: timedelta, now: datetime) -> timedelta:
    """How long the account is held this time."""
    hold.times = 1 if hold.until + WELL < now else hold.times + 1
    return min(first * int(2 ** min(hold.times - 1, 20)), most)


def _withdraw(session: Session, hold: Hold, now: datetime) -> None:
    """Take the account's jobs back from the queues. One that a worker claims this moment is left to it."""
    queued = select(Job.id).where(Job.state == State.QUEUED, Job.account == hold.account).with_for_update(skip_locked=True)
    store.park(session, session.scalars(queued).all(), hold.why, now)


def _parked(account: str | BindParameter[str]) -> tuple[ColumnElement[bool], ...]:
    return Job.parked_at.is_not(None), Job.account == account


_GOING = line.waiting(
    *_parked(bindparam("account")),
    Job.queue == bindparam("queue"),
    Job.run_at <= bindparam("now", type_=Instant),
    asked=("account", "queue", "now"),
)


def _is_over(hold: Hold, now: datetime) -> bool:
    return hold.until + (UNPROBED if hold.cause is Cause.CIRCUIT else CALM) <= now


def _due(hold: Hold, now: datetime) -> int:
    """How many jobs may have gone since the hold's end."""
    return ramp.total(hold.rate, (now - hold.until).total_seconds(), steady=hold.cause is Cause.RATE)


def _gone(hold: Hold, now: datetime) -> int:
    """How many count as gone: all that could have, but for what a late feed makes up for."""
    speed = ramp.pace(hold.rate, (now - hold.until).total_seconds(), steady=hold.cause is Cause.RATE)
    return max(hold.released, _due(hold, now) - max(1, ceil(speed * ramp.CATCH_UP)))
