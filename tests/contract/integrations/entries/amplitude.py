"""Amplitude, as the conformance suite needs it."""

from typing import Any

from jobs.errors import Rejected, Transient, Unauthorized
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer


def _error(status: int, words: str, **more: Any) -> Any:
    return {"code": status, "error": words, **more}


ENTRY = Entry(
    account={"api_key": "conformance0api0key"},
    success={"amplitude.track": Answer(json={"code": 200, "events_ingested": 1, "payload_size_bytes": 50})},
    key=lambda request: str(request.json()["events"][0]["insert_id"]),
    error=_error,
    special=[
        Special("a wrong key", Answer(400, _error(400, "Invalid API key: conformance0api0key")), Unauthorized),
        Special("a wrong field", Answer(400, _error(400, "Invalid", events_with_invalid_fields={"time": [0]})), Rejected),
        Special("one user too busy", Answer(429, _error(429, "Too many", throttled_users={"user-1815": 30})), Transient),
        Special("too large", Answer(413, _error(413, "Payload too large")), Rejected),
    ],
)
