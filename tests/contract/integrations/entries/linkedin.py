"""LinkedIn, as the conformance suite needs it."""

from typing import Any

from jobs.errors import Duplicate, Rejected, Unauthorized
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer


def _error(status: int, words: str, code: str = "ERROR") -> Any:
    return {"status": status, "code": code, "message": words}


TWICE = "Content is a duplicate of urn:li:share:6844785523593134080"

ENTRY = Entry(
    account={"access_token": "conformance0token", "author": "urn:li:organization:5515715"},
    success={"linkedin.post.create": Answer(201, headers={"x-restli-id": "urn:li:share:6844785523593134080"})},
    error=_error,
    special=[
        Special("the same post again", Answer(422, _error(422, TWICE)), Duplicate),
        Special("a wrong field", Answer(422, _error(422, "ERROR :: /author :: is invalid")), Rejected),
        Special("an expired token", Answer(401, _error(401, "expired", "EXPIRED_ACCESS_TOKEN")), Unauthorized),
        Special("a retired version", Answer(426, _error(426, "not active", "NONEXISTENT_VERSION")), Rejected),
    ],
)
