"""What someone did, as every provider of analytics takes it."""

import json
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, Field, JsonValue, model_validator

from tasks.capability import Capability
from tasks.context import Context
from tasks.fields import Shape
from tasks.provider import Payload

LARGEST = 30_000  # bytes: Segment takes 32 KB with all that is around them, the others take more


def _check_size(properties: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(properties, ensure_ascii=False).encode(errors="replace")) > LARGEST:
        raise ValueError(f"as JSON they have at most {LARGEST} bytes")
    return properties


Properties = Annotated[dict[Annotated[str, Field(max_length=255)], JsonValue], AfterValidator(_check_size)]
Id = Annotated[str, Field(min_length=1, max_length=255)]


class Deed(Shape):
    """Something that someone did. Whoever it was has a user_id, an anonymous_id, or both."""

    event: Annotated[str, Field(min_length=1, max_length=255)]
    user_id: Id | None = None
    anonymous_id: Id | None = Field(None, description="of a device or a visit, from before anyone said who it is")
    properties: Properties = Field({}, description="at most 30,000 bytes as JSON")
    time: AwareDatetime | None = Field(None, description="when it was; by default when the job was accepted")

    @model_validator(mode="after")
    def _is_someones(self) -> Self:
        if self.user_id is None and self.anonymous_id is None:
            raise ValueError("give user_id, anonymous_id or both")
        return self

    def happened(self, context: Context) -> datetime:
        """When it was: on every attempt the same."""
        return self.time or context.accepted_at


class Event(Deed, Payload):
    """Something that someone did, and who is told."""


def milliseconds(instant: datetime) -> int:
    """Since 1970."""
    return round(instant.timestamp() * 1000)


EVENT: dict[str, Any] = {
    "event": "Order Completed",
    "user_id": "user-1815",
    "properties": {"order": 42, "total": 19.99, "currency": "EUR"},
    "time": "2026-11-02T09:30:00Z",
}

analytics_track = Capability.of("analytics.track", Deed, "Tell one account what someone did.", alike=False, example=EVENT)
