"""X, as the conformance suite needs it."""

from typing import Any

from jobs.errors import Duplicate, Unauthorized
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer


def _error(status: int, words: str) -> Any:
    return {"title": "Error", "detail": words, "type": "about:blank", "status": status}


TWICE = "You are not allowed to create a Tweet with duplicate content."
MADE = {"id": "1346889436626259968", "text": "We have opened in Leipzig."}

ENTRY = Entry(
    account={
        "api_key": "conformance0key",
        "api_secret": "conformance0secret",
        "access_token": "1815-conformance0token",
        "access_secret": "conformance0token0secret",
    },
    success={"x.post.create": Answer(201, {"data": MADE}), "x.post.delete": Answer(json={"data": {"deleted": True}})},
    found={"x.post.create": Answer(json={"data": [MADE], "meta": {"result_count": 1}})},
    absent={"x.post.create": Answer(json={"meta": {"result_count": 0}})},
    error=_error,
    special=[
        Special("the same words again", Answer(403, _error(403, TWICE)), Duplicate, task="x.post.create"),
        Special("no permission", Answer(403, _error(403, "not permitted")), Unauthorized),
        Special("no credits", Answer(402, _error(402, "no credits")), Unauthorized),
    ],
)
