"""What routes ask for: the ledger, and the ids that came with the request."""

import re
from typing import Annotated

from fastapi import Depends, Header, Request

from api.ledger import Ledger
from api.problems import Refused

_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


async def _ledger(request: Request) -> Ledger:
    ledger: Ledger = request.app.state.ledger
    return ledger


async def _request_id(request: Request) -> str:
    request_id: str = request.state.request_id
    return request_id


async def _traceparent(
    traceparent: Annotated[str | None, Header(description="W3C trace context, carried to the attempt.")] = None,
) -> str | None:
    return traceparent if traceparent and _TRACE.fullmatch(traceparent) else None


async def _idempotency_key(
    idempotency_key: Annotated[
        str | None, Header(description="The same key and request again: the same job, answered with 200.")
    ] = None,
) -> str | None:
    """The key, with or without the quotes of a structured string (draft-ietf-httpapi-idempotency-key-header-07)."""
    if idempotency_key is None:
        return None
    bare = (
        idempotency_key[1:-1]
        if len(idempotency_key) > 1 and idempotency_key[0] == idempotency_key[-1] == '"'
        else idempotency_key
    )
    if not _KEY.fullmatch(bare):
        raise Refused("malformed-request", "Idempotency-Key is 1 to 255 visible ASCII characters, with or without quotes.")
    return bare


InLedger = Annotated[Ledger, Depends(_ledger)]
RequestId = Annotated[str, Depends(_request_id)]
TraceParent = Annotated[str | None, Depends(_traceparent)]
IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]
