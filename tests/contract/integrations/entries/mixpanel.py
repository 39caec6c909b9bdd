"""Mixpanel, as the conformance suite needs it."""

from typing import Any

from jobs.errors import Rejected
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer


def _error(status: int, words: str, **more: Any) -> Any:
    return {"code": status, "error": words, "status": "error", **more}


FAILED = {"index": 0, "insert_id": "x", "field": "properties.time", "message": "'properties.time' is invalid"}

ENTRY = Entry(
    account={"username": "treadle.mp-service-account", "secret": "conformance0secret", "project_id": "2195193"},
    success={"mixpanel.track": Answer(json={"code": 200, "num_records_imported": 1, "status": "OK"})},
    error=_error,
    specification="mixpanel/ingestion",
    special=[
        Special("a wrong time", Answer(400, _error(400, "some data points failed", failed_records=[FAILED])), Rejected),
        Special("too large", Answer(413, _error(413, "request exceeds max limit of 2097152 bytes")), Rejected),
    ],
)
