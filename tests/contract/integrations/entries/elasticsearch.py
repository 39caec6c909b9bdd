"""Elasticsearch, as the conformance suite needs it."""

from typing import Any

from jobs.errors import Duplicate, RateLimited, Rejected, Transient, Unauthorized
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer

HEADERS = {"x-elastic-product": "Elasticsearch", "content-type": "application/vnd.elasticsearch+json;compatible-with=9"}


def _answer(body: Any, status: int = 200) -> Answer:
    return Answer(status, body, headers=HEADERS)


def _error(status: int, words: str, kind: str = "some_exception") -> Answer:
    return _answer({"error": {"type": kind, "reason": words, "root_cause": []}, "status": status}, status)


def _bulk(*statuses: int) -> Answer:
    items = [{"index": {"_index": "products", "_id": f"{status}", "status": status, **_why(status)}} for status in statuses]
    return _answer({"took": 1, "errors": max(statuses) >= 300, "items": items})


def _why(status: int) -> dict[str, Any]:
    return {"error": {"type": "some_exception", "reason": "so it is"}} if status >= 300 else {}


INDEXED = {"_index": "products", "_id": "42", "_version": 1, "result": "created", "_shards": {}, "_seq_no": 0}
MISSING = {"_index": "products", "_id": "42", "_version": 1, "result": "not_found"}
CONFLICT = _error(409, "[42]: version conflict, current version [7] is higher", "version_conflict_engine_exception")
FULL = _error(
    403, "disk usage exceeded flood-stage watermark, index has read-only-allow-delete block", "cluster_block_exception"
)

ENTRY = Entry(
    account={"api_key": "conformanceZHY0JDZGJrNHZ1UGg6dWNfd0"},
    success={
        "elasticsearch.index": _answer(INDEXED, 201),
        "elasticsearch.bulk": _bulk(201),
        "elasticsearch.delete": _answer({**INDEXED, "result": "deleted"}),
    },
    error=_error,
    special=[
        Special("a newer version is there", CONFLICT, Duplicate, task="elasticsearch.index"),
        Special("the disk is full", FULL, Transient),
        Special("a mapping that does not fit", _error(400, "failed to parse", "document_parsing_exception"), Rejected),
        Special("a full queue", _error(429, "rejected execution", "es_rejected_execution_exception"), RateLimited),
        Special("a key that may not", _error(403, "is unauthorized for API key", "security_exception"), Unauthorized),
        Special("no such document", _answer(MISSING, 404), None, task="elasticsearch.delete"),
        Special("no index", _error(404, "no such index", "index_not_found_exception"), Rejected),
        Special("one of many refused", _bulk(201, 400), Rejected, task="elasticsearch.bulk"),
        Special("one of many too soon", _bulk(201, 429), RateLimited, task="elasticsearch.bulk"),
        Special("one of many not now", _bulk(201, 503), Transient, task="elasticsearch.bulk"),
        Special("some refused, some not now", _bulk(400, 503), Transient, task="elasticsearch.bulk"),
    ],
)
