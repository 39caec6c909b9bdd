"""/livez, /readyz, /metrics, /problems: for probes, scrapers and people who met an error."""

import asyncio
import hmac

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from api.dependencies import InLedger
from api.kinds import KINDS
from api.ledger import LedgerBusy
from api.problems import Refused
from jobs import liveness, schema
from runtime.publisher import publisher
from runtime.settings import settings

router = APIRouter(tags=["health"])


class Readiness(BaseModel):
    """Whether jobs are accepted here, and how what is behind the door stands."""

    status: str
    database: str
    broker: str
    workers: int
    doubts: list[str] = Field([], description="settings by which the database may lose what it has confirmed")


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get(
    "/readyz", responses={503: {"description": "Jobs cannot be accepted: the database does not answer, or lacks tables."}}
)
async def readyz(response: Response, ledger: InLedger) -> Readiness:
    """Jobs are accepted. They are without a broker and without workers too: they wait in the ledger."""
    try:
        workers, doubts = await ledger.read(_look)
    except LedgerBusy:
        response.status_code = 503
        return Readiness(status="not ready", database="away", broker=_broker(), workers=0)
    except schema.SchemaMismatch as mismatch:
        response.status_code = 503
        return Readiness(status="not ready", database=str(mismatch), broker=_broker(), workers=0)
    return Readiness(status="ready", database="ok", broker=_broker(), workers=workers, doubts=doubts)


def _look(session: Session) -> tuple[int, list[str]]:
    schema.check(session)
    return len(liveness.live(session)), schema.doubts(session)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Prometheus metrics of this process. TREADLE_METRICS_TOKEN, if set, is asked for as a bearer token."""
    token = settings().metrics_token
    given = request.headers.get("authorization", "")
    if token is not None and not hmac.compare_digest(given.encode(), f"Bearer {token.get_secret_value()}".encode()):
        raise Refused("unauthenticated", "The metrics ask for their own bearer token.", {"WWW-Authenticate": "Bearer"})
    return Response(await asyncio.to_thread(generate_latest), media_type=CONTENT_TYPE_LATEST)


@router.get("/problems/{kind}", response_class=PlainTextResponse)
async def explain(kind: str) -> str:
    """What a problem type means, and what to do."""
    if kind not in KINDS:
        raise Refused("not-found", f"There is no problem type {kind[:64]!r}.")
    status, title, advice = KINDS[kind]
    return f"{title} ({status})\n\n{advice}\n"


def _broker() -> str:
    return "ok" if publisher.healthy else "away"
