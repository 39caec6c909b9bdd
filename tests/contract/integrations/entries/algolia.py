"""Algolia, as the conformance suite needs it."""

from jobs.errors import Rejected, Unauthorized
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer


def _no(status: int, words: str) -> Answer:
    return Answer(status, {"message": words, "status": status})


DONE = Answer(json={"taskID": 1541, "objectIDs": ["42"]})

ENTRY = Entry(
    account={"app_id": "CONFORMANCE1", "api_key": "conformance0a8d1b2c3"},
    success={"algolia.save": DONE, "algolia.delete": DONE},
    error=lambda status, words: {"message": words, "status": status},
    specification="algolia/search",
    special=[
        Special("a record that is too big", _no(400, "Record at the position 0 is too big"), Rejected),
        Special("a key of another application", _no(403, "Invalid Application-ID or API key"), Unauthorized),
        Special("a plan that is used up", _no(402, "Record quota exceeded"), Rejected),
    ],
)
