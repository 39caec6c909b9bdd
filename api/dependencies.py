"""What routes ask for: the ledger, and the ids that came with the request."""

import re
from typing import Annotated

from fastapi import Depends, Header, Request

from api.ledger import Ledger
from jobs.keys import Caller

_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


async def _ledger(request: Request) -> Ledger:
    ledger: Ledger = request.app.state.ledger
    caller: Caller | None = getattr(request.state, "caller", None)
    return ledger.veiled() if caller is not None and caller.blind else ledger


async def _request_id(request: Request) -> str:
    request_id: str = request.state.request_id
    return request_id


async def _traceparent(
    traceparent: Annotated[str | None, Header(description="W3C trace context, carried to the attempt.")] = None,
) -> str | None:
    return traceparent if traceparent and _TRACE.fullmatch(traceparent) else None


InLedger = Annotated[Ledger, Depends(_ledger)]
RequestId = Annotated[str, Depends(_request_id)]
TraceParent = Annotated[str | None, Depends(_traceparent)]
