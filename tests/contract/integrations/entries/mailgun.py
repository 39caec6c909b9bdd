"""Mailgun, as the conformance suite needs it."""

from typing import Any

from jobs.errors import RateLimited, Rejected
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer

WAIT = "Domain mg.example.com is not allowed to send: account-requests-per-sec limit exceeded, try again after 120 seconds"


def _events(*items: Any) -> Answer:
    return Answer(json={"items": items, "paging": {"next": "", "previous": ""}})


def _accepted(job_id: str) -> Any:
    headers = {"message-id": "a1@treadle", "to": "ada@example.com", "from": "noreply@example.com", "subject": "Hello"}
    return {"event": "accepted", "id": "e1", "message": {"headers": headers}, "user-variables": {"job_id": job_id}}


ENTRY = Entry(
    account={"api_key": "key-conformance-3ax6xnjp", "domain": "mg.example.com"},
    success={"mailgun.send": Answer(json={"id": "<a1@treadle>", "message": "Queued. Thank you."})},
    found={"mailgun.send": lambda job_id: _events(_accepted("another job's"), _accepted(job_id))},
    absent={"mailgun.send": _events(_accepted("another job's"))},
    error=lambda status, words: {"message": words},
    specification="mailgun/mailgun",
    special=[
        Special("a wait in words", Answer(429, {"message": WAIT}), RateLimited),
        Special("no JSON", Answer(400, body=b"Bad Request"), Rejected),
    ],
)
