"""What happens to jobs, as a stream that can be taken up again at any place: each thing once, and in order.

Nothing is written for it: it is told from the attempts, the lines and the end of a job. A position says how far each of
these was told. Each only grows, and only the attempt that holds a job writes to them, so nothing comes in behind a position.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import merge
from typing import Any, Literal, TypeVar
from uuid import UUID

from sqlalchemy import BigInteger, Integer, Uuid, and_, column, or_, select, values
from sqlalchemy.orm import Session

from jobs import event_ids
from jobs.model import Attempt, Job, LogLine
from runtime.database import EPOCH, MICROSECOND
from runtime.stored_json import from_json

Record = TypeVar("Record", Attempt, LogLine)
Counter = Literal["line", "started", "ended", "finished"]


@dataclass(frozen=True)
class Position:
    """How far a job's stream was told."""

    line: int = 0  # the id of the last line
    started: int = 0  # the epoch of the last attempt whose start was told
    ended: int = 0  # and of the last whose end was told
    finished: int = 0  # the time of the job's last end, in microseconds since 1970: it may be retried, and end again

    def __str__(self) -> str:
        return f"{self.line}.{self.started}.{self.ended}.{self.finished}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """A position as it was given out.

        Raises:
            Invalid: it is none.
        """
        return cls(*event_ids.parse(text, 4))

    def least(self, other: "Position") -> "Position":
        """The place from which both have been told nothing."""
        pairs = zip(self.parts, other.parts, strict=True)
        return Position(*(min(pair) for pair in pairs))

    @property
    def parts(self) -> tuple[int, int, int, int]:
        """All four."""
        return self.line, self.started, self.ended, self.finished


@dataclass(frozen=True)
class Happening:
    """One thing that happened; `mark` is where the counter stands behind it."""

    kind: Literal["started", "line", "progress", "ended", "finished"]
    at: datetime
    counter: Counter
    mark: int
    data: dict[str, Any]

    def is_news(self, position: Position) -> bool:
        """Whether it was not told yet."""
        told: int = getattr(position, self.counter)
        return self.mark > told

    def behind(self, position: Position) -> Position:
        """Where the stream stands when it has been told."""
        return replace(position, **{self.counter: self.mark})


def since(session: Session, jobs: Sequence[Job], positions: Mapping[UUID, Position]) -> dict[UUID, list[Happening]]:
    """What happened to each of the jobs behind its position, in order. Two questions to the ledger, however many jobs."""
    if not jobs:
        return {}
    attempts, lines = _attempts(session, positions), _lines(session, positions)
    found = {}
    for job in jobs:
        tried, heard = attempts.get(job.id, []), lines.get(job.id, [])
        parts = map(_start, tried), map(_line, heard), (_end(attempt) for attempt in tried if attempt.outcome), end(job)
        whole = merge(*parts, key=lambda happening: happening.at)  # it keeps the order of each part
        found[job.id] = [happening for happening in whole if happening.is_news(positions[job.id])]
    return found


def _attempts(session: Session, positions: Mapping[UUID, Position]) -> dict[UUID, list[Attempt]]:
    rows = [(job_id, position.started, position.ended) for job_id, position in positions.items()]
    told = values(column("job_id", Uuid), column("started", Integer), column("ended", Integer)).data(rows).cte("told")
    ended = and_(Attempt.epoch > told.c.ended, Attempt.finished_at.is_not(None))
    query = select(Attempt).join(told, and_(Attempt.job_id == told.c.job_id, or_(Attempt.epoch > told.c.started, ended)))
    return _by_job(session.scalars(query.order_by(Attempt.epoch)))


def _lines(session: Session, positions: Mapping[UUID, Position]) -> dict[UUID, list[LogLine]]:
    rows = [(job_id, position.line) for job_id, position in positions.items()]
    told = values(column("job_id", Uuid), column("line", BigInteger)).data(rows).cte("told")
    query = select(LogLine).join(told, and_(LogLine.job_id == told.c.job_id, LogLine.id > told.c.line))
    return _by_job(session.scalars(query.order_by(LogLine.id)))


def _by_job(rows: Iterable[Record]) -> dict[UUID, list[Record]]:
    found: defaultdict[UUID, list[Record]] = defaultdict(list)
    for row in rows:
        found[row.job_id].append(row)
    return found


def _start(attempt: Attempt) -> Happening:
    data = {"attempt": attempt.number, "worker": str(attempt.worker)}
    return Happening("started", attempt.started_at, "started", attempt.epoch, data)


def _line(line: LogLine) -> Happening:
    kind, data = words(line.level, line.message)
    return Happening(kind, line.at, "line", line.id, data)


def _end(attempt: Attempt) -> Happening:
    again = attempt.retry_at.isoformat() if attempt.retry_at else None
    data = {"attempt": attempt.number, "outcome": attempt.outcome, "error": attempt.error, "retry_at": again}
    return Happening("ended", attempt.finished_at or attempt.started_at, "ended", attempt.epoch, data)


def words(level: str, message: str) -> tuple[Literal["line", "progress"], dict[str, Any]]:
    """What a task said, told."""
    return ("progress", from_json(message)) if level == "progress" else ("line", {"level": level, "message": message})


def end(job: Job) -> list[Happening]:
    """The end of a job, if it has come."""
    if job.finished_at is None:
        return []
    data = {"state": job.state, "reason": job.reason, "result": job.result, "error": job.error}
    return [Happening("finished", job.finished_at, "finished", (job.finished_at - EPOCH) // MICROSECOND, data)]
