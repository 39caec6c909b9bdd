"""/v1/schedules"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from api.auth import Reader, Writer
from api.body import StrictRoute
from api.dependencies import InLedger
from api.schemas import PRIORITIES, JobOut, Priority, QueueName, Tags, TaskName, Timeout
from jobs import queues, schedules
from jobs.errors import Invalid
from jobs.model import Schedule
from jobs.policy import RetryPolicy
from runtime import clock
from runtime.duration import Duration
from tasks import catalogue

router = APIRouter(prefix="/v1/schedules", tags=["schedules"], route_class=StrictRoute)

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Every = Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=366))]
CatchUp = Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=31))]
Cron = Annotated[str, StringConstraints(max_length=120, pattern=r"^[\x20-\x7e]+$")]
Zone = Annotated[str, StringConstraints(max_length=64, pattern=r"^[\x21-\x7e]+$")]


class ScheduleIn(BaseModel):
    """When to make a job, and which."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    task: TaskName
    payload: Annotated[Any, Field(description="Texts may hold {{tick_at}}, {{tick_date}} and {{schedule}}.")] = Field(
        default_factory=dict
    )
    cron: Annotated[
        Cron | None, Field(description="Five fields, read in `zone`; or give every.", examples=["0 9 * * 1-5"])
    ] = None
    every: Annotated[Every | None, Field(description="An interval, counted from now; or give cron.")] = None
    zone: Annotated[Zone, Field(description="An IANA time zone.")] = "UTC"
    queue: QueueName | None = None
    priority: Priority = "normal"
    timeout: Timeout | None = None
    retry: RetryPolicy | None = None
    tags: Tags = []
    catch_up: Annotated[
        CatchUp, Field(description="Due times missed by less are made up for; of older ones only the last.")
    ] = timedelta(minutes=1)
    paused: StrictBool = False


class ScheduleChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    payload: Any = None
    cron: Cron | None = None
    every: Every | None = None
    zone: Zone | None = None
    queue: QueueName | None = None
    priority: Priority | None = None
    timeout: Timeout | None = None
    retry: RetryPolicy | None = None
    tags: Tags | None = None
    catch_up: CatchUp | None = None
    paused: StrictBool | None = None


class ScheduleOut(BaseModel):
    """A schedule, as stored."""

    id: UUID
    name: str
    task: str
    payload: Any
    cron: str | None
    every: Duration | None
    zone: str
    queue: str
    priority: Priority
    timeout: Duration
    retry: RetryPolicy
    tags: list[str]
    catch_up: Duration
    paused: bool
    next_at: datetime | None
    last_at: datetime | None
    created_at: datetime
    revision: int

    @classmethod
    def of(cls, schedule: Schedule) -> Self:
        """A schedule as the door shows it."""
        plain = {name: getattr(schedule, name) for name in cls.model_fields if name not in {"priority", "paused"}}
        return cls(**plain, priority=PRIORITIES[schedule.priority], paused=schedule.paused_at is not None)


class ScheduleList(BaseModel):
    """All schedules, by name."""

    schedules: list[ScheduleOut]


class Preview(BaseModel):
    """The next due times, in UTC."""

    times: list[datetime]


@router.post("", status_code=201, responses={409: {"description": "There is a schedule of this name."}})
async def create_schedule(given: ScheduleIn, response: Response, caller: Writer, ledger: InLedger) -> ScheduleOut:
    """Store a schedule. Each of its due times will make exactly one job."""

    def add(session: Session) -> Schedule:
        schedule = _stored(given, caller.tenant)  # anew each time: a row that was rolled back would not be inserted again
        schedules.add(session, schedule)
        return schedule

    row = f"schedule {given.name}"
    try:
        schedule = await ledger.write(add, row=row)
    except IntegrityError:  # another of this name was committed meanwhile: now it is seen
        schedule = await ledger.write(add, row=row)
    response.headers["Location"] = f"/v1/schedules/{schedule.name}"
    return ScheduleOut.of(schedule)


@router.get("")
async def list_schedules(caller: Reader, ledger: InLedger) -> ScheduleList:
    """All schedules, by name."""
    found = await ledger.read(lambda session: schedules.listed(session, caller.tenant))
    return ScheduleList(schedules=[ScheduleOut.of(schedule) for schedule in found])


@router.get("/{name}")
async def get_schedule(name: Name, caller: Reader, ledger: InLedger) -> ScheduleOut:
    """One schedule."""
    return ScheduleOut.of(await ledger.read(lambda session: schedules.get(session, caller.tenant, name)))


@router.patch("/{name}")
async def change_schedule(name: Name, given: ScheduleChange, caller: Writer, ledger: InLedger) -> ScheduleOut:
    """Change a schedule, pause it (`"paused": true`) or resume it. A new timetable counts from now."""

    def change(session: Session) -> Schedule:
        schedule = schedules.get(session, caller.tenant, name)
        schedules.change(session, schedule, **_changes(given, schedule))
        session.flush()
        return schedule

    return ScheduleOut.of(await ledger.write(change, row=f"schedule {name}"))


@router.delete("/{name}", status_code=204)
async def delete_schedule(name: Name, caller: Writer, ledger: InLedger) -> None:
    """Delete a schedule. The jobs that it made stay."""
    await ledger.write(lambda session: session.delete(schedules.get(session, caller.tenant, name)), row=f"schedule {name}")


@router.post("/{name}/run", status_code=202)
async def run_schedule(name: Name, response: Response, caller: Writer, ledger: InLedger) -> JobOut:
    """Make its job now, beside the timetable."""
    job = await ledger.write(lambda session: schedules.run_now(session, schedules.get(session, caller.tenant, name)))
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobOut.of(job)


@router.get("/{name}/preview")
async def preview_schedule(
    name: Name, caller: Reader, ledger: InLedger, count: Annotated[int, Query(ge=1, le=100)] = 5
) -> Preview:
    """The next due times, were it not paused."""
    schedule = await ledger.read(lambda session: schedules.get(session, caller.tenant, name))
    times = schedules.timetable(schedule).after(clock.now())
    return Preview(times=[at for at, _ in zip(times, range(count), strict=False)])


def _stored(given: ScheduleIn, tenant: str) -> Schedule:
    task, now = catalogue.find(given.task), clock.now()
    task.accept(schedules.render(given.payload, given.name, now))
    return Schedule(
        id=uuid7(),
        tenant=tenant,
        name=given.name,
        task=task.name,
        payload=given.payload,
        queue=queues.check(given.queue or task.queue),
        priority=PRIORITIES.index(given.priority),
        tags=given.tags,
        retry=task.policy(given.retry).model_dump(mode="json"),
        timeout=given.timeout or task.timeout,
        cron=given.cron,
        every=given.every,
        zone=given.zone,
        catch_up=given.catch_up,
        anchor_at=now,
        paused_at=now if given.paused else None,
        created_at=now,
        revision=1,
    )


def _changes(given: ScheduleChange, schedule: Schedule) -> dict[str, Any]:
    """The columns that a change touches."""
    sent = given.model_fields_set
    changes: dict[str, Any] = {name: getattr(given, name) for name in sent - {"paused", "priority", "retry", "payload"}}
    wrong = sorted(name for name in sent - {"cron", "every", "payload"} if getattr(given, name) is None)
    if wrong:
        raise Invalid([{"pointer": f"/{name}", "detail": "null is not a value for this."} for name in wrong])
    if "queue" in changes:
        queues.check(changes["queue"])
    if changes.get("cron") is not None:
        changes.setdefault("every", None)
    if changes.get("every") is not None:
        changes |= {"cron": changes.get("cron"), "anchor_at": clock.now()}
    if "payload" in sent:
        catalogue.find(schedule.task).accept(schedules.render(given.payload, schedule.name, clock.now()))
        changes["payload"] = given.payload
    if given.priority is not None:
        changes["priority"] = PRIORITIES.index(given.priority)
    if given.retry is not None:
        before = RetryPolicy.model_validate(schedule.retry)
        changes["retry"] = catalogue.find(schedule.task).policy(given.retry, before).model_dump(mode="json")
    if given.paused is not None:
        changes["paused_at"] = (schedule.paused_at or clock.now()) if given.paused else None
    return changes
