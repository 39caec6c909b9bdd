"""What routes ask for: the ledger, and the ids that came with the request."""

import re
from typing import Annotated

from fastapi import Depends, Header, Request

from api.ledger import Ledger
from jobs.keys import Caller

_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


async def ledger(request: Request) -> Ledger:
    """The door's ledger, as the caller may see it."""
    whole: Ledger = request.app.state.ledger
    caller: Caller | None = getattr(request.state, "caller", None)
    return whole.veiled() if caller is not None and caller.blind else whole


async def request_id(request: Request) -> str:
    """The request's own or the one that it was given."""
    its: str = request.state.request_id
    return its


async def traceparent(
    traceparent: Annotated[str | None, Header(description="W3C trace context, carried to the attempt.")] = None,
) -> str | None:
    """The caller's trace, if it is one."""
    return traceparent if traceparent and _TRACE.fullmatch(traceparent) else None


InLedger = Annotated[Ledger, Depends(ledger)]
RequestId = Annotated[str, Depends(request_id)]
TraceParent = Annotated[str | None, Depends(traceparent)]
