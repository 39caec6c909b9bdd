"""The tables. A job is a row; so is each attempt at it. The database itself refuses rows that cannot be."""

from jobs.model.acts import BulkAction, Deed
from jobs.model.attempts import Attempt, LogLine
from jobs.model.callers import ApiKey, IdempotencyKey, Place
from jobs.model.columns import DEFAULT_TENANT
from jobs.model.events import Event, Notice, Rulebook
from jobs.model.fleet import Queue, Worker
from jobs.model.holds import Cause, Hold
from jobs.model.jobs import Job, Label, unsaved
from jobs.model.journal import Audience, Entry
from jobs.model.receipts import Receipt
from jobs.model.rules import Endpoint, Source, Subscription
from jobs.model.schedules import Schedule, Tick
from runtime.database import Base

__all__ = [
    "DEFAULT_TENANT",
    "ApiKey",
    "Attempt",
    "Audience",
    "Base",
    "BulkAction",
    "Cause",
    "Deed",
    "Endpoint",
    "Entry",
    "Event",
    "Hold",
    "IdempotencyKey",
    "Job",
    "Label",
    "LogLine",
    "Notice",
    "Place",
    "Queue",
    "Receipt",
    "Rulebook",
    "Schedule",
    "Source",
    "Subscription",
    "Tick",
    "Worker",
    "unsaved",
]
