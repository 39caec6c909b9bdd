"""/v1/providers: the accounts of third parties, and how they stand."""

from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.auth import Reader, Writer
from api.dependencies import InLedger, RequestId, TraceParent
from api.problems import Refused
from api.schemas import JobOut
from jobs.errors import Invalid
from jobs.order import Order
from jobs.submit import submit
from tasks import catalogue
from tasks.rate import Rate
from tasks.standing import MOST, Standing, owner, standings

router = APIRouter(prefix="/v1/providers", tags=["providers"])


class AccountOut(BaseModel):
    """How an account stands."""

    account: str
    provider: str
    available: bool = Field(description="Whether jobs for it are taken here; if not, `missing` says what mends it.")
    missing: str | None
    state: str = Field(
        description="well; circuit: its calls failed, one job at a time goes as a probe; asked: the provider asked us to "
        "wait; rate: more is wanted than its rate allows; ramp: it is well again, its jobs go at a rising rate."
    )
    why: str | None
    since: datetime | None
    until: datetime | None = Field(description="Nothing goes before; of an open circuit, the next probe.")
    held_jobs: int = Field(description=f"Jobs that wait for it; counted up to {MOST}.")
    rate: Rate | None
    saturation: float | None = Field(description="Part of the rate used in the last ten seconds, by all workers.")
    last_error: str | None
    last_error_at: datetime | None
    has_probe: bool = Field(description="Whether it can be checked without effects.")

    @classmethod
    def of(cls, standing: Standing) -> "AccountOut":
        """An account as the door shows it."""
        return cls(**vars(standing), available=standing.missing is None)


class AccountList(BaseModel):
    """All accounts."""

    accounts: list[AccountOut]


@router.get("")
async def list_providers(caller: Reader, ledger: InLedger) -> AccountList:
    """Every account: whether it is configured, what holds its jobs, and what went wrong last."""
    return AccountList(accounts=[AccountOut.of(standing) for standing in await ledger.read(standings)])


@router.post(
    "/{account}/check", status_code=202, responses={409: {"description": "The provider has no call without effects."}}
)
async def check_provider(
    account: str, response: Response, caller: Writer, ledger: InLedger, request_id: RequestId, trace: TraceParent
) -> JobOut:
    """Have a worker make the account's call without effects, as a job: the door needs neither credentials nor a way out."""
    try:
        provider = owner(account)
    except Invalid as unknown:
        raise Refused("not-found", unknown.errors[0]["detail"]) from None
    if provider.probe is None:
        raise Refused("conflict", f"{provider.name} has no call without effects; its next job will show how it stands.")
    task = catalogue.find("account.check")
    order = Order(
        task=task.name,
        payload={"account": account},
        queue=task.queue,
        priority=3,
        timeout=task.timeout,
        retry=task.retry,
        tenant=caller.tenant,
        request_id=request_id,
        traceparent=trace,
    )
    made = await ledger.write(lambda session: submit(session, order))
    response.headers["Location"] = f"/v1/jobs/{made.job.id}"
    return JobOut.of(made.job)
