"""The shapes of events that go in and out of the door, beside CloudEvents' own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api import cloudevents
from api.schemas import Time
from jobs.events import Recorded
from jobs.model import Event, Job
from jobs.states import State


class Accepted(BaseModel):
    """An event in the ledger."""

    id: UUID
    duplicate: bool = Field(description="It had come before, by its source and id. Nothing was done again.")
    matched: int = Field(description="Rules that it set off; 0: a dead event.")
    jobs: list[UUID]

    @classmethod
    def of(cls, recorded: Recorded) -> Self:
        """An event as the door answers it."""
        return cls.model_validate(recorded, from_attributes=True)


class AllAccepted(BaseModel):
    """A batch in the ledger, in the order of the request: all of it, in one transaction."""

    events: list[Accepted]


class Effect(BaseModel):
    """A job that an event set off."""

    id: UUID
    task: str
    state: State
    attempt: int
    subscription: str | None
    endpoint_id: UUID | None
    result: Any
    error: dict[str, Any] | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """A job as its event's page shows it."""
        plain = {name: getattr(job, name) for name in cls.model_fields if name != "subscription"}
        return cls(**plain, subscription=job.meta.get("subscription"))


class EventOut(BaseModel):
    """An event, as it was recorded."""

    id: UUID
    received_at: datetime
    matched: int
    about: UUID | None = Field(description="The job of ours that a provider tells of.")
    event: dict[str, Any] = Field(description="As a CloudEvent.")

    @classmethod
    def of(cls, event: Event) -> Self:
        """An event as lists show it."""
        return cls(**_shown(event))


class EventDetail(EventOut):
    """An event's life: what it was, what it set off, and how that stands."""

    jobs: list[Effect]

    @classmethod
    def whole(cls, event: Event, jobs: Sequence[Job]) -> Self:
        """An event as its own page shows it."""
        return cls(**_shown(event), jobs=[Effect.of(job) for job in jobs])


class EventPage(BaseModel):
    """Newest first."""

    events: list[EventOut]
    next_cursor: UUID | None


class WouldFire(BaseModel):
    """What an event would set off."""

    rule: str
    task: str
    payload: Any
    run_at: datetime | None
    errors: list[dict[str, str]] = Field(description="What the task would find wrong with the payload.")


class Trial(BaseModel):
    """What would happen; nothing was stored."""

    matched: int
    would: list[WouldFire]


class ReplayIn(BaseModel):
    """Which rules to set off again."""

    model_config = ConfigDict(extra="forbid")

    rules: Annotated[
        list[str] | None,
        Field(max_length=100, description="Names of subscriptions, ids of endpoints; by default all that match."),
    ] = None


class RangeIn(ReplayIn):
    """Which events to replay, oldest last."""

    since: Time
    until: Time
    type: Annotated[str | None, Field(max_length=255)] = None
    dead: Annotated[bool, Field(strict=True, description="Only those that nobody listened to.")] = False
    cursor: UUID | None = None


class Replayed(BaseModel):
    """What was set off; with a cursor, ask again with it for the rest."""

    events: int
    jobs: list[UUID]
    next_cursor: UUID | None = None


def _shown(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "received_at": event.received_at,
        "matched": event.matched,
        "about": event.about,
        "event": cloudevents.written(event),
    }
