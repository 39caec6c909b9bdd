"""The kinds of problems, each with the page that its `type` leads to."""

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of problem: its HTTP status, its title, and what to do about it."""

    status: int
    title: str
    advice: str


KINDS = {
    "malformed-request": Kind(
        400,
        "The request cannot be read",
        "The body is not the JSON that this door accepts, or a header is malformed.",
    ),
    "unauthenticated": Kind(
        401,
        "A valid API key is needed",
        "Send `Authorization: Bearer tr_…`. Make a key with `treadle keys create`.",
    ),
    "forged": Kind(
        401,
        "The signature does not hold",
        "A webhook to /v1/hooks was not proven. The log says why, under this request_id.",
    ),
    "forbidden": Kind(
        403,
        "The key's scope does not allow this",
        "Scopes: read < operate < write < admin. Use a key with the scope that is named. A key can also be restricted to "
        "jobs of some tasks and queues, or not be shown payloads: then another key is needed.",
    ),
    "not-found": Kind(
        404,
        "There is no such thing",
        "The path, or the id in it, is unknown, or was pruned after its retention.",
    ),
    "method-not-allowed": Kind(
        405,
        "The method is not allowed here",
        "The Allow header lists those that are.",
    ),
    "request-timeout": Kind(
        408,
        "The request did not arrive in time",
        "A body must arrive whole within TREADLE_BODY_PATIENCE. Nothing was stored; send it again.",
    ),
    "conflict": Kind(
        409,
        "The present state does not allow this",
        "Read the resource again; the detail says what stands in the way.",
    ),
    "in-flight": Kind(
        409,
        "Another request with this Idempotency-Key is not answered yet",
        "A key stands for one request. Use a new one; or see after Retry-After what became of the other.",
    ),
    "not-unique": Kind(
        409,
        "Another job holds the place that this one asks for",
        "`job_id` is the job that is there. Wait for it, or ask with another key.",
    ),
    "too-large": Kind(
        413,
        "The request is too large",
        "The limit is TREADLE_PAYLOAD_LIMIT bytes (many jobs at once: TREADLE_BULK_LIMIT). Store large things elsewhere.",
    ),
    "unsupported-media-type": Kind(
        415,
        "JSON is wanted",
        "Send the body as `Content-Type: application/json`.",
    ),
    "invalid": Kind(
        422,
        "The request does not validate",
        "`errors` has a JSON pointer and a sentence for each wrong value. Nothing was stored.",
    ),
    "key-reused": Kind(
        422,
        "The Idempotency-Key was used for another request",
        "A key stands for one request. Use a new key for a new job.",
    ),
    "quota-exceeded": Kind(
        429,
        "The key has asked too often",
        "`RateLimit-Policy` is the quota, `RateLimit` what is left of it. Ask again after Retry-After. An admin can give "
        "the key another quota; TREADLE_QUOTA is that of keys without one. Nothing was stored.",
    ),
    "internal-error": Kind(
        500,
        "Something broke on our side",
        "Nothing was stored, unless the detail says so. The request_id leads to the log.",
    ),
    "overloaded": Kind(
        503,
        "The queue is too late to take more",
        "Jobs of this priority have waited in the queue for longer than TREADLE_SHED_AFTER. Nothing was stored; try again "
        "after Retry-After. Reads and control go on.",
    ),
    "ledger-busy": Kind(
        503,
        "The ledger does not answer",
        "The database is locked or away. Nothing was stored; try again after Retry-After.",
    ),
}
