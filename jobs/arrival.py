"""An event as it came in, checked."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from jobs.model import Event

OURS = "treadle"
"""The source of our own events. Nobody else may use it."""


@dataclass(frozen=True)
class Arrival:
    """An event, not yet in the ledger."""

    type: str
    source: str
    source_id: str
    data: Any = None
    subject: str | None = None
    at: datetime | None = None
    attributes: dict[str, Any] = field(default_factory=dict)  # the other attributes of CloudEvents
    depth: int = 0
    about: UUID | None = None  # the job of ours that it tells of
    nonce: str | None = None
    traceparent: str | None = None

    @classmethod
    def of(cls, event: Event) -> Self:
        """A recorded event, as it came."""
        plain = (event.type, event.source, event.source_id, event.data, event.subject, event.at)
        return cls(*plain, attributes=event.attributes, depth=event.depth)

    @property
    def is_ours(self) -> bool:
        """Whether we say it ourselves."""
        return self.source == OURS

    @property
    def document(self) -> dict[str, Any]:
        """What filters and templates see."""
        return {
            **self.attributes,
            "id": self.source_id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self.at.isoformat() if self.at else None,
            "data": self.data,
        }
