"""Schedules: stored timetables, each due time of which becomes exactly one job."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from jobs import outbox
from jobs.errors import Invalid, ScheduleExists, ScheduleNotFound
from jobs.model import Job, Schedule, Tick
from jobs.policy import RetryPolicy
from jobs.submit import Order, submit
from jobs.timetable import Timetable
from runtime import clock, metrics
from runtime.database import EPOCH, ask, insert

AT_ONCE = 100  # ticks made in one transaction; what is left comes in the next round
_VARIABLE = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")


def timetable(schedule: Schedule) -> Timetable:
    """When the schedule is due."""
    return Timetable(schedule.cron, schedule.every, schedule.zone, schedule.anchor_at)


def render(payload: Any, name: str, at: datetime) -> Any:
    """The payload with {{tick_at}}, {{tick_date}} and {{schedule}} filled in, in its texts.

    Raises:
        Invalid: it names another variable.
    """
    values = {"tick_at": at.isoformat().replace("+00:00", "Z"), "tick_date": at.date().isoformat(), "schedule": name}

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise Invalid.at("/payload", f"{match[0]} is unknown; there are {', '.join('{{' + v + '}}' for v in values)}.")
        return values[match[1]]

    def fill(part: Any) -> Any:
        match part:
            case str():
                return _VARIABLE.sub(value, part)
            case list():
                return [fill(item) for item in part]
            case dict():
                return {key: fill(item) for key, item in part.items()}
        return part

    return fill(payload)


def add(session: Session, schedule: Schedule) -> None:
    """Store a new schedule, checked by the caller, and compute its first due time.

    Raises:
        ScheduleExists: the name is taken.
        Invalid: the timetable can never be due.
    """
    timetable(schedule).check()
    if session.scalars(_named(schedule.tenant, schedule.name)).one_or_none() is not None:
        raise ScheduleExists(schedule.name)
    if schedule.paused_at is None:
        schedule.next_at = timetable(schedule).next_after(clock.now())
    session.add(schedule)


def get(session: Session, tenant: str, name: str) -> Schedule:
    """One schedule, by its name.

    Raises:
        ScheduleNotFound: there is none.
    """
    schedule: Schedule | None = session.scalars(_named(tenant, name)).one_or_none()
    if schedule is None:
        raise ScheduleNotFound(name)
    return schedule


def listed(session: Session, tenant: str) -> Sequence[Schedule]:
    """All schedules of a tenant, by name."""
    return session.scalars(select(Schedule).where(Schedule.tenant == tenant).order_by(Schedule.name)).all()


def change(session: Session, schedule: Schedule, **values: Any) -> None:
    """Change a schedule. A new timetable, or the end of a pause, counts from now: nothing is caught up."""
    for name, value in values.items():
        setattr(schedule, name, value)
    timetable(schedule).check()
    if values.keys() & {"cron", "every", "zone", "paused_at"}:
        schedule.next_at = None if schedule.paused_at else timetable(schedule).next_after(clock.now())
    schedule.revision += 1


def run_now(session: Session, schedule: Schedule) -> Job:
    """Make a job at once, beside the timetable."""
    return submit(session, _order(schedule, clock.now())).job


_FIRST = select(Schedule.next_at).where(Schedule.next_at.is_not(None)).order_by(Schedule.next_at).limit(1)


def next_due() -> datetime | None:
    """The first due time that is to be made into a job: an idle scheduler's question. None if no schedule has one."""
    return next((at for (at,) in ask(_FIRST)), None)


def due(session: Session, now: datetime) -> Sequence[UUID]:
    """The schedules that have a due time to make into a job."""
    return session.scalars(select(Schedule.id).where(Schedule.next_at <= now).order_by(Schedule.next_at)).all()


def tick(session: Session, schedule_id: UUID, now: datetime) -> int:
    """Make the jobs of a schedule's due times, and move it on. Returns how many jobs were made.

    The move is a compare-and-set on `next_at`, and each due time has a unique row: whoever comes second makes nothing.
    Due times missed by more than `catch_up` are recorded as skipped, all but the last.
    """
    schedule = session.get(Schedule, schedule_id, populate_existing=True, with_for_update={"skip_locked": True})
    if schedule is None or schedule.next_at is None or schedule.next_at > now:
        return 0
    times, following = _due_times(schedule, now)
    moved = update(Schedule).where(Schedule.id == schedule_id, Schedule.next_at == schedule.next_at)
    if session.execute(moved.values(next_at=following, last_at=times[-1])).rowcount != 1:  # type: ignore[attr-defined]
        return 0
    made = 0
    for at in times:
        late = now - at > schedule.catch_up and at != times[-1]
        if _note(session, schedule_id, at):
            metrics.ticks.labels("skipped" if late else "made").inc()
            told = {"schedule": schedule.name, "at": at.isoformat(), "job_id": None}
            if not late:
                job = submit(session, replace(_order(schedule, at), id=_id_of(schedule_id, at))).job
                session.execute(update(Tick).where(Tick.schedule_id == schedule_id, Tick.at == at).values(job_id=job.id))
                told["job_id"] = str(job.id)
                made += 1
            outbox.tell(session, "schedule.skipped" if late else "schedule.fired", told, schedule.name, schedule.tenant)
    return made


def _due_times(schedule: Schedule, now: datetime) -> tuple[list[datetime], datetime]:
    """The due times from `next_at` up to now, AT_ONCE at most, and the one after them.

    Due times that are long past are passed over but for the newest, so that a month's absence is not a month's work.
    """
    assert schedule.next_at is not None  # noqa: S101 - the caller asked
    table, first = timetable(schedule), schedule.next_at
    horizon = now - schedule.catch_up
    if first < horizon:
        first = _last_before(table, first, horizon)
    times = [first]
    for at in table.after(first):
        if at > now or len(times) == AT_ONCE:
            return times, at
        times.append(at)
    raise AssertionError("a timetable never ends")


def _last_before(table: Timetable, first: datetime, horizon: datetime) -> datetime:
    """The last due time before `horizon`, found without walking all of them."""
    span = timedelta(minutes=1)
    while horizon - span > first:
        found = _until(table, horizon - span, horizon)
        if found:
            return found[-1]
        span *= 4
    found = _until(table, first, horizon)
    return found[-1] if found else first


def _until(table: Timetable, start: datetime, end: datetime) -> list[datetime]:
    times = []
    for at in table.after(start):
        if at >= end:
            break
        times.append(at)
    return times


def _note(session: Session, schedule_id: UUID, at: datetime) -> bool:
    note = insert(session, Tick).values(schedule_id=schedule_id, at=at).on_conflict_do_nothing().returning(Tick.at)
    return session.execute(note).one_or_none() is not None


def _id_of(schedule_id: UUID, at: datetime) -> UUID:
    """A due time's job has the same id whenever it is made, as a UUIDv7 of that time.

    After a restore of the ledger to an earlier point its due times are made again: what they call knows them by their keys.
    """
    digest = int.from_bytes(hashlib.sha256(f"{schedule_id} {at.isoformat()}".encode()).digest())
    milliseconds = (at - EPOCH) // timedelta(milliseconds=1)
    return UUID(int=milliseconds << 80 | 7 << 76 | (digest >> 64) % 2**12 << 64 | 2 << 62 | digest % 2**62)


def _order(schedule: Schedule, at: datetime) -> Order:
    return Order(
        task=schedule.task,
        payload=render(schedule.payload, schedule.name, at),
        queue=schedule.queue,
        priority=schedule.priority,
        timeout=schedule.timeout,
        retry=RetryPolicy.model_validate(schedule.retry),
        tags=schedule.tags,
        metadata={"schedule": schedule.name, "tick_at": at.isoformat()},
        tenant=schedule.tenant,
        schedule_id=schedule.id,
    )


def _named(tenant: str, name: str) -> Any:
    return select(Schedule).where(Schedule.tenant == tenant, Schedule.name == name)
