"""The journal, read: all that happens, each thing once and in the order of the commits, to be taken up again at any place.

It is written only while somebody listens (see the triggers), and for the setting stream_window after. On PostgreSQL a
transaction may commit behind one that began later. So entries are ordered by the number of their transaction, and read only
up to the oldest that is still at work: nothing comes in behind a place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, Integer, Select, and_, bindparam, delete, or_, select, text, tuple_
from sqlalchemy.orm import Session

from jobs import event_ids
from jobs.happenings import words
from jobs.model import Attempt, Audience, Entry, Job, LogLine
from jobs.states import State
from runtime import clock
from runtime.database import EPOCH, MICROSECOND, insert

BATCH = 5_000  # entries forgotten in one transaction

_NUMBER = "SELECT CAST(CAST({} AS text) AS bigint)"
_OLDEST = text(_NUMBER.format("pg_snapshot_xmin(pg_current_snapshot())"))
_OWN = text(_NUMBER.format("pg_current_xact_id()"))  # higher than that of any transaction that has written yet


@dataclass(frozen=True, order=True)
class Place:
    """How far the journal was told. A journal that was begun at another time (`since`) is another one."""

    since: int  # microseconds since 1970
    xact: int = 0
    id: int = 0

    def __str__(self) -> str:
        return f"{self.since}.{self.xact}.{self.id}"

    @classmethod
    def parse(cls, given: str) -> "Place":
        """A place as it was given out.

        Raises:
            Invalid: it is none.
        """
        return cls(*event_ids.parse(given, 3))

    def of(self, entry: "Said | Entry") -> "Place":
        """The place behind an entry of the same journal."""
        return Place(self.since, entry.xact, entry.id)


class Said(NamedTuple):
    """An entry, with what is told of its job, of the attempt that it began or ended, and of its line."""

    id: int
    xact: int
    at: datetime
    job_id: UUID
    epoch: int
    was: str | None
    state: str | None
    line: int | None
    tenant: str | None  # None where the job was pruned
    task: str
    queue: str
    account: str | None
    tags: list[str]
    now: str  # the job's state by now
    reason: str | None
    number: int | None  # None where it is not about an attempt
    outcome: str | None
    error: dict[str, Any] | None
    retry_at: datetime | None
    level: str | None
    message: str
    said_at: datetime


class News:
    """An entry, told: how a job moved, or what its task said. Made to words only where somebody wants it."""

    def __init__(self, since: int, entry: Said) -> None:
        self.entry = entry
        self.place = Place(since, entry.xact, entry.id)
        self.wire: dict[bool, bytes] = {}  # as it is sent, once made; True: to the blind

    @property
    def state(self) -> str:
        """After the move; a job that says something runs."""
        return self.entry.state or State.RUNNING

    def told(self) -> tuple[Literal["job", "line", "progress"], dict[str, Any]]:
        """Its kind, and what is said."""
        entry = self.entry
        its: dict[str, Any] = {"at": entry.at, "job_id": entry.job_id, "task": entry.task, "queue": entry.queue}
        if entry.level is not None:
            kind, said = words(entry.level, entry.message)
            return kind, its | {"at": entry.said_at} | said
        its |= {"account": entry.account, "tags": entry.tags, "was": entry.was, "state": entry.state}
        its["reason"] = entry.reason if entry.now == entry.state else None
        if entry.number is not None:
            its["attempt"] = entry.number
        if entry.number is not None and entry.was == State.RUNNING:
            its |= {"outcome": entry.outcome, "error": entry.error, "retry_at": entry.retry_at}
        return "job", its


def _question() -> Select[*tuple[Any, ...]]:
    """The entries behind a place, with what is told of each: one question, made once."""
    behind = tuple_(Entry.xact, Entry.id) > tuple_(bindparam("xact", type_=BigInteger), bindparam("id", type_=BigInteger))
    entries = select(Entry).where(behind, Entry.xact < bindparam("settled", type_=BigInteger))
    page = entries.order_by(Entry.xact, Entry.id).limit(bindparam("most", type_=Integer)).cte("page")
    is_of_attempt = or_(page.c.was == State.RUNNING, page.c.state == State.RUNNING)
    attempt = and_(is_of_attempt, Attempt.job_id == page.c.job_id, Attempt.epoch == page.c.epoch)
    job = Job.tenant, Job.task, Job.queue, Job.account, Job.tags, Job.state.label("now"), Job.reason
    its = Attempt.number, Attempt.outcome, Attempt.error, Attempt.retry_at
    line = LogLine.level, LogLine.message, LogLine.at.label("said_at")
    told = select(*page.c, *job, *its, *line).outerjoin_from(page, Job, Job.id == page.c.job_id).outerjoin(Attempt, attempt)
    return told.outerjoin(LogLine, LogLine.id == page.c.line)


_PAGE = _question()


def listen(session: Session, until: datetime) -> int:
    """Have the journal written at least until then. Returns when it was begun: another time than before is a gap."""
    now = clock.now()
    first = {"one": 1, "since": now, "until": now, "gone_xact": 0, "gone_id": 0}
    session.execute(insert(session, Audience).values(first).on_conflict_do_nothing())
    audience = session.get_one(Audience, 1, with_for_update=True, populate_existing=True)
    audience.until = max(audience.until, until)
    return _micros(audience.since)


def begun(session: Session) -> int:
    """The number before which all transactions must have ended, so that those still at work know that somebody listens."""
    return 0 if _has_one_writer(session) else session.scalars(_OWN).one()


def settled(session: Session) -> int:
    """The number before which all transactions have ended."""
    return 1 if _has_one_writer(session) else session.scalars(_OLDEST).one()


def head(session: Session, since: int) -> Place:
    """The place behind all that has happened."""
    last = select(Entry).where(Entry.xact < settled(session)).order_by(Entry.xact.desc(), Entry.id.desc()).limit(1)
    entry = session.scalars(last).one_or_none()
    return Place(since) if entry is None else Place(since).of(entry)


def page(session: Session, after: Place, most: int) -> Sequence[Said]:
    """The next entries."""
    given = {"xact": after.xact, "id": after.id, "settled": settled(session), "most": most}
    said = map(Said._make, session.execute(_PAGE, given))
    return sorted(said, key=attrgetter("xact", "id"))  # a join promises no order; the database would sort whole rows


def resume(session: Session, place: Place) -> tuple[Place, bool]:
    """Where to go on, and whether something behind the place was forgotten meanwhile."""
    audience = session.get_one(Audience, 1)
    first = Place(_micros(audience.since), audience.gone_xact, audience.gone_id)
    lost = place.since != first.since or place < first
    return (first, True) if lost else (place, False)


def tell(after: Place, entries: Iterable[Said]) -> list[News]:
    """What the entries say. What jobs were pruned of is left out."""
    return [
        News(after.since, entry) for entry in entries if entry.tenant is not None and (entry.line is None or entry.level)
    ]


def forget(session: Session, now: datetime, window: timedelta) -> int:
    """Forget a batch of what is older than `window`, or of everything once nobody listens. Returns how much that was."""
    session.execute(delete(Audience).where(Audience.until < now))
    audience = session.get(Audience, 1)
    oldest = session.scalars(select(Entry).order_by(Entry.xact, Entry.id).limit(BATCH)).all()
    gone = [entry for entry in oldest if audience is None or entry.at < now - window]
    if audience is not None and len(gone) == len(oldest) < BATCH:
        gone = gone[:-1]  # SQLite counts on from the last that there is
    if audience is not None and gone:
        audience.gone_xact, audience.gone_id = gone[-1].xact, gone[-1].id
    session.execute(delete(Entry).where(Entry.id.in_([entry.id for entry in gone])))
    return len(gone)


def _has_one_writer(session: Session) -> bool:
    return session.get_bind().dialect.name != "postgresql"


def _micros(instant: datetime) -> int:
    return (instant - EPOCH) // MICROSECOND
