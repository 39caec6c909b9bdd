"""The tables. A job is a row; so is each attempt at it. The database itself refuses rows that cannot be."""

from jobs.model.attempts import Attempt, LogLine
from jobs.model.callers import ApiKey, IdempotencyKey
from jobs.model.columns import DEFAULT_TENANT
from jobs.model.fleet import Queue, Worker
from jobs.model.jobs import Job
from jobs.model.schedules import Schedule, Tick
from runtime.database import Base

__all__ = [
    "DEFAULT_TENANT",
    "ApiKey",
    "Attempt",
    "Base",
    "IdempotencyKey",
    "Job",
    "LogLine",
    "Queue",
    "Schedule",
    "Tick",
    "Worker",
]
