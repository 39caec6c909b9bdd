"""The shapes that go in and out of the door."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.functional_validators import AfterValidator, BeforeValidator
from pydantic_core import to_json

from jobs.model import Attempt, Job, LogLine
from jobs.policy import RetryPolicy
from jobs.search import Count
from jobs.states import Ending, Reason, State
from jobs.timeline import Moment, What
from jobs.why import Cause, Kind
from runtime import clock
from runtime.duration import Duration

PRIORITIES = ("low", "normal", "high", "critical")
Priority = Literal["low", "normal", "high", "critical"]
FARTHEST = timedelta(days=3650)
NO_NUL = r"^[^\x00]*$"


def no_number(value: Any) -> Any:
    """A time is written out: pydantic would take a number for seconds since 1970, or milliseconds."""
    if isinstance(value, int | float):
        raise ValueError("a time is written as RFC 3339 has it")  # noqa: TRY004 - pydantic's way
    return value


def _in_reach(value: datetime) -> datetime:
    if 2000 <= value.year < 9000:  # else it might have no UTC
        time = value.astimezone(UTC)
        if time.year >= 2000 and time <= clock.now() + FARTHEST:
            return time
    raise ValueError("a time lies between the year 2000 and ten years from now")


Time = Annotated[AwareDatetime, BeforeValidator(no_number), AfterValidator(_in_reach)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NO_NUL)]
Word = Annotated[str, StringConstraints(max_length=500, pattern=NO_NUL)]
Tags = Annotated[list[Tag], Field(max_length=20)]
TaskName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=NO_NUL)]
QueueName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NO_NUL)]
Timeout = Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=1))]


class AttemptOut(BaseModel):
    """One try."""

    number: int
    worker: UUID
    started_at: datetime
    finished_at: datetime | None
    outcome: Ending | None = Field(description="null while it runs")
    error: dict[str, Any] | None
    retry_at: datetime | None

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """An attempt as the door shows it."""
        return cls.model_validate(attempt, from_attributes=True)


class LineOut(BaseModel):
    """A line that the task wrote."""

    at: datetime
    level: str
    message: str

    @classmethod
    def of(cls, line: LogLine) -> Self:
        """A line as the door shows it."""
        return cls.model_validate(line, from_attributes=True)


class JobOut(BaseModel):
    """A job, its payload left out."""

    id: UUID
    task: str
    queue: str
    priority: Priority
    state: State
    reason: Reason | None
    attempt: int
    max_attempts: int
    cancel_requested: bool
    waits_for: str | None
    created_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    progress: dict[str, Any] | None
    result: Any | None
    error: dict[str, Any] | None
    schedule_id: UUID | None
    account: str | None
    replay_of: UUID | None
    tags: list[str]
    metadata: dict[str, str]

    @classmethod
    def of(cls, job: Job) -> Self:
        """A job as lists show it."""
        return cls(**_shown(job))


class JobDetail(JobOut):
    """A job whole: payload, policy, every attempt, and the last lines of its log."""

    payload: Any
    retry: RetryPolicy
    timeout: Duration
    request_id: str | None
    attempts: list[AttemptOut]
    log: list[LineOut]

    @classmethod
    def whole(cls, job: Job, attempts: list[AttemptOut], log: list[LineOut]) -> Self:
        """A job as its own page shows it."""
        more = {"payload": job.payload, "retry": job.retry, "timeout": job.timeout, "request_id": job.request_id}
        return cls(**_shown(job), **more, attempts=attempts, log=log)


class JobPage(BaseModel):
    """Newest first."""

    jobs: list[JobOut]
    next_cursor: str | None


class SparseJob(BaseModel):
    """Of a job, what was asked for."""

    model_config = ConfigDict(extra="forbid")

    id: UUID | None = None
    task: str | None = None
    queue: str | None = None
    priority: Priority | None = None
    state: State | None = None
    reason: Reason | None = None
    attempt: int | None = None
    max_attempts: int | None = None
    cancel_requested: bool | None = None
    waits_for: str | None = None
    created_at: datetime | None = None
    run_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    progress: dict[str, Any] | None = None
    payload: Any | None = None
    result: Any | None = None
    error: dict[str, Any] | None = None
    schedule_id: UUID | None = None
    account: str | None = None
    replay_of: UUID | None = None
    tags: list[str] | None = None
    metadata: dict[str, str] | None = None

    @classmethod
    def of(cls, job: Job, fields: set[str]) -> Self:
        """Those fields of a job."""
        shown = _shown(job) | ({"payload": job.payload} if "payload" in fields else {})
        return cls(**{name: shown[name] for name in fields})


class SparsePage(BaseModel):
    """Newest first, of each job what was asked for."""

    jobs: list[SparseJob]
    next_cursor: str | None


class CountOut(BaseModel):
    """How many jobs are meant."""

    count: int
    exact: bool = Field(description="false: there may be more")

    @classmethod
    def of(cls, count: Count) -> Self:
        """A count as the door shows it."""
        return cls(count=count.count, exact=count.exact)


class MomentOut(BaseModel):
    """Something that happened to a job; `waits` is to come."""

    at: datetime
    what: What
    attempt: int | None
    detail: dict[str, Any]

    @classmethod
    def of(cls, moment: Moment) -> Self:
        """A moment as the door shows it."""
        return cls.model_validate(moment, from_attributes=True)


class Timeline(BaseModel):
    """What happened to a job, oldest first."""

    moments: list[MomentOut]


class CauseOut(BaseModel):
    """One thing that a job waits for."""

    kind: Kind
    detail: str
    until: datetime | None = Field(description="When it ends, if that is known.")
    ahead: int | None = Field(description="Jobs that go first; 10000: at least so many.")

    @classmethod
    def of(cls, cause: Cause) -> Self:
        """A cause as the door shows it."""
        return cls.model_validate(cause, from_attributes=True)


class Why(BaseModel):
    """Everything that a job waits for."""

    causes: list[CauseOut]


_FROM = {"max_attempts": "retry", "metadata": "meta"}
_SHOWN = [(name, _FROM.get(name, name)) for name in JobOut.model_fields]


def as_json(job: Job) -> bytes:
    """What `JobOut.of(job)` says, without making one to say it."""
    return to_json(_shown(job))


def _shown(job: Job) -> dict[str, Any]:
    known = vars(job)  # whole, as rows are read: SQLAlchemy's own access costs more than all the rest
    shown = {name: known[its] if its in known else getattr(job, its) for name, its in _SHOWN}
    shown["priority"] = PRIORITIES[job.priority]
    shown["max_attempts"] = job.budget_from + job.retry["max_attempts"]
    return shown
