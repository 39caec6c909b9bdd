"""Segment, as the conformance suite needs it."""

from jobs.errors import Rejected
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer

YES = Answer(json={"success": True})

ENTRY = Entry(
    account={"write_key": "conformance0write0key"},
    success={"segment.track": YES, "segment.identify": YES},
    key=lambda request: str(request.json()["messageId"]),
    special=[Special("too large", Answer(413, {"message": "Exceeded payload limit"}), Rejected)],
)
