"""/v1/jobs/bulk"""

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from api import bulk
from api.auth import JobWriter
from api.bulk import BulkOut
from api.dependencies import InLedger, RequestId, TraceParent
from api.idempotency import IdempotencyKey, once
from jobs.submit import Key, digest_of

router = APIRouter(tags=["jobs"])

_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["jobs"],
                "additionalProperties": False,
                "properties": {
                    "jobs": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": bulk.MOST,
                        "items": {"$ref": "#/components/schemas/JobIn"},
                    }
                },
            }
        },
        "application/x-ndjson": {"schema": {"type": "string", "description": "A job a line."}},
    },
}


@router.post(
    bulk.PATH,
    status_code=202,
    response_model=BulkOut,
    responses={
        207: {"model": BulkOut, "description": "Some jobs were refused; `results` says which, and why."},
        409: {
            "description": "Of all or none, one job's place is held; or the Idempotency-Key's other request is in flight."
        },
    },
    openapi_extra={"requestBody": _BODY},
)
async def create_jobs(
    request: Request,
    caller: JobWriter,
    ledger: InLedger,
    request_id: RequestId,
    trace: TraceParent,
    key: IdempotencyKey = None,
    atomic: Annotated[bool, Query(description="All jobs or none, in one transaction.")] = False,
) -> JSONResponse:
    """Accept up to 10,000 jobs, with a result for each. Sent again with its Idempotency-Key, it makes what was not made."""
    asker = bulk.Asker(caller, request_id, trace, key)
    items = await asyncio.to_thread(bulk.read, await request.body(), request.headers.get("content-type", ""))
    keyed = Key(key, await asyncio.to_thread(digest_of, [caller.key_id, atomic, items])) if key else None
    make = partial(bulk.all_or_nothing if atomic else bulk.each, ledger, asker, items)
    results, joined = await once(caller.tenant, keyed, make)
    if joined:
        results = bulk.repeated(results)
    refused = sum("problem" in result for result in results)
    answer = {"accepted": len(results) - refused, "refused": refused, "results": results}
    return JSONResponse(answer, 207 if refused else 202)
