"""The journal, read: all that happens, each thing once and in the order of the commits, to be taken up again at any place.

It is written only while somebody listens (see the triggers), and for the setting stream_window after. On PostgreSQL a
transaction may commit behind one that began later. So entries are ordered by the number of their transaction, and read only
up to the oldest that is still at work: nothing comes in behind a place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, delete, select, text, tuple_
from sqlalchemy.orm import Session

from jobs import event_ids
from jobs.happenings import said
from jobs.model import Attempt, Audience, Entry, Job, LogLine
from jobs.states import State
from runtime import clock
from runtime.database import EPOCH, MICROSECOND, insert

BATCH = 5_000  # entries forgotten in one transaction

Columns = Row[*tuple[Any, ...]]
"""Some of a row's: there may be thousands of entries a second, and an object costs more than what is read of it."""

_ENTRY = Entry.id, Entry.xact, Entry.job_id, Entry.epoch, Entry.at, Entry.was, Entry.state, Entry.line
_SHOWN = Job.id, Job.tenant, Job.task, Job.queue, Job.account, Job.tags, Job.state, Job.reason
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

    def of(self, entry: Columns | Entry) -> "Place":
        """The place behind an entry of the same journal."""
        return Place(self.since, entry.xact, entry.id)


@dataclass(frozen=True)
class News:
    """An entry, told: how a job moved (`job`), or what its task said."""

    place: Place
    kind: Literal["job", "line", "progress"]
    job: Columns  # its columns that are shown, and those that filters ask for
    state: str  # after the move
    data: dict[str, Any]
    wire: dict[bool, bytes] = field(default_factory=dict, compare=False)  # as it is sent, once made; True: to the blind


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


def page(session: Session, after: Place, most: int) -> Sequence[Columns]:
    """The next entries."""
    behind = tuple_(Entry.xact, Entry.id) > tuple_(after.xact, after.id)
    query = select(*_ENTRY).where(behind, Entry.xact < settled(session)).order_by(Entry.xact, Entry.id)
    return session.execute(query.limit(most)).all()


def resume(session: Session, place: Place) -> tuple[Place, bool]:
    """Where to go on, and whether something behind the place was forgotten meanwhile."""
    audience = session.get_one(Audience, 1)
    first = Place(_micros(audience.since), audience.gone_xact, audience.gone_id)
    lost = place.since != first.since or place < first
    return (first, True) if lost else (place, False)


def tell(session: Session, after: Place, entries: Sequence[Columns]) -> list[News]:
    """What the entries say. Three questions to the ledger, however many there are; what jobs were pruned of is left out."""
    jobs = _jobs(session, {entry.job_id for entry in entries})
    tried = _attempts(session, [entry for entry in entries if State.RUNNING in {entry.was, entry.state}])
    lines = _lines(session, [entry.line for entry in entries if entry.line is not None])
    news = []
    for entry in entries:
        job = jobs.get(entry.job_id)
        if job is not None and entry.line is None:
            moved = _moved(entry, job, tried.get((entry.job_id, entry.epoch)))
            news.append(News(after.of(entry), "job", job, entry.state or "", moved))
        elif job is not None and entry.line in lines:
            told = said(lines[entry.line])
            kind: Literal["line", "progress"] = "progress" if told.kind == "progress" else "line"
            its = {"at": told.at.isoformat(), "job_id": str(job.id), "task": job.task, "queue": job.queue}
            news.append(News(after.of(entry), kind, job, State.RUNNING, its | told.data))
    return news


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


def _jobs(session: Session, ids: set[UUID]) -> dict[UUID, Columns]:
    return {job.id: job for job in session.execute(select(*_SHOWN).where(Job.id.in_(ids)))} if ids else {}


def _attempts(session: Session, entries: Iterable[Columns]) -> dict[tuple[UUID, int], Attempt]:
    wanted = {(entry.job_id, entry.epoch) for entry in entries}
    found = select(Attempt).where(tuple_(Attempt.job_id, Attempt.epoch).in_(wanted))
    return {(attempt.job_id, attempt.epoch): attempt for attempt in session.scalars(found)} if wanted else {}


def _lines(session: Session, ids: Sequence[int]) -> dict[int | None, LogLine]:
    return {line.id: line for line in session.scalars(select(LogLine).where(LogLine.id.in_(ids)))} if ids else {}


def _moved(entry: Columns, job: Columns, attempt: Attempt | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "at": entry.at.isoformat(),
        "job_id": str(job.id),
        "task": job.task,
        "queue": job.queue,
        "account": job.account,
        "tags": job.tags,
        "was": entry.was,
        "state": entry.state,
        "reason": job.reason if job.state == entry.state else None,
    }
    if attempt is not None:
        told["attempt"] = attempt.number
    if attempt is not None and entry.was == State.RUNNING:
        again = attempt.retry_at.isoformat() if attempt.retry_at else None
        told |= {"outcome": attempt.outcome, "error": attempt.error, "retry_at": again}
    return told
