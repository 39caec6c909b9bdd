"""/v1/jobs"""

from functools import partial
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from api.auth import JobReader, JobWriter
from api.body import StrictRoute
from api.dependencies import InLedger, RequestId, TraceParent
from api.filters import FilterIn, ListIn
from api.idempotency import IdempotencyKey, once
from api.ledger import Ledger
from api.orders import JobIn
from api.prefer import Finish, PreferWait
from api.schemas import (
    AttemptOut,
    CauseOut,
    CountOut,
    JobDetail,
    JobOut,
    JobPage,
    LineOut,
    MomentOut,
    SparseJob,
    SparsePage,
    Timeline,
    Why,
)
from jobs import queries, search, timeline, why
from jobs.keys import Caller
from jobs.submit import Key, Order, Submission, digest_of, submit_each

PATH = "/v1/jobs"
router = APIRouter(prefix=PATH, tags=["jobs"], route_class=StrictRoute)


@router.post(
    "",
    status_code=202,
    responses={
        200: {"model": JobOut, "description": "A job that was there before, or one that became final while we waited."},
        409: {"description": "Another job holds its place, or another request with this Idempotency-Key is being answered."},
    },
)
async def create_job(
    job: JobIn,
    response: Response,
    caller: JobWriter,
    ledger: InLedger,
    finish: Finish,
    request_id: RequestId,
    trace: TraceParent,
    wait: PreferWait,
    key: IdempotencyKey = None,
) -> JobOut:
    """Accept a job. When the answer comes, it is committed; it will run, whatever dies meanwhile."""
    made, joined = await accept(job, job.order(caller, request_id, trace), key, ledger)
    found = await finish.wait(made.job.id, wait) if wait else None
    response.status_code, headers = told(made, joined=joined, is_final=found is not None)
    response.headers.update(headers)
    if wait:
        response.headers["Preference-Applied"] = f"wait={wait:.0f}"
    return JobOut.of(found or made.job)


async def accept(job: JobIn, order: Order, key: str | None, ledger: Ledger) -> tuple[Submission, bool]:
    """The job of an order, committed, and whether an earlier request with this key, not answered yet, had asked for it."""
    keyed = Key(key, digest_of(job.model_dump(mode="json"))) if key else None
    submit = partial(ledger.join, submit_each, (order, keyed), row=f"key {key}" if key else "")
    return await once(order.tenant, keyed, submit)


def told(made: Submission, *, joined: bool, is_final: bool = False) -> tuple[int, dict[str, str]]:
    """Status and headers of the answer."""
    headers, replayed = {"Location": f"/v1/jobs/{made.job.id}"}, made.replayed or joined
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    if replayed or made.in_place or is_final:
        return 200, headers
    return 202, headers | {"Retry-After": "1"}


@router.get("", response_model=JobPage | SparsePage, response_model_exclude_unset=True)
async def list_jobs(
    given: Annotated[ListIn, Query()], response: Response, caller: JobReader, ledger: InLedger
) -> JobPage | SparsePage:
    """Jobs, newest first, payloads left out. All criteria must hold; `next_cursor` leads to the next page of the same.

    A search by more than one criterion looks at a bounded number of jobs a page: a page may be short, or empty, and yet
    have a `next_cursor`. When it is null, there is no more.
    """
    fields = given.only()
    page = await ledger.read(
        partial(search.page, tenant=caller.tenant, wanted=given.wanted(caller), limit=given.limit, cursor=given.cursor,
                payloads="payload" in fields)
    )  # fmt: skip
    if page.next_cursor:
        again = given.model_dump(mode="json", exclude_unset=True) | {"cursor": page.next_cursor}
        response.headers["Link"] = f'</v1/jobs?{urlencode(again, doseq=True)}>; rel="next"'
    if fields:
        return SparsePage(jobs=[SparseJob.of(job, fields) for job in page.jobs], next_cursor=page.next_cursor)
    return JobPage(jobs=[JobOut.of(job) for job in page.jobs], next_cursor=page.next_cursor)


@router.get("/count")
async def count_jobs(given: Annotated[FilterIn, Query()], caller: JobReader, ledger: InLedger) -> CountOut:
    """How many jobs are meant. Cheap however many there are: past 10,000 looked at, it is said to be at least so many."""
    found = await ledger.read(partial(search.count, tenant=caller.tenant, wanted=given.wanted(caller)))
    return CountOut.of(found)


@router.get("/{job_id}")
async def get_job(
    job_id: UUID, response: Response, caller: JobReader, ledger: InLedger, finish: Finish, wait: PreferWait
) -> JobDetail:
    """A job whole: payload, every attempt, and the last lines of its log."""
    if wait:
        await ledger.read(lambda session: queries.get(session, caller.tenant, job_id, caller.reach))  # ours to wait for
        await finish.wait(job_id, wait)
        response.headers["Preference-Applied"] = f"wait={wait:.0f}"
    return await ledger.read(partial(_whole, caller=caller, job_id=job_id))


@router.get("/{job_id}/timeline")
async def show_timeline(job_id: UUID, caller: JobReader, ledger: InLedger) -> Timeline:
    """What happened to a job, oldest first: acceptance, attempts, lines of its log, and its end or what it waits for."""
    found = await ledger.read(partial(timeline.of, tenant=caller.tenant, job_id=job_id, reach=caller.reach))
    return Timeline(moments=[MomentOut.of(moment) for moment in found])


@router.get("/{job_id}/why")
async def explain_job(job_id: UUID, caller: JobReader, ledger: InLedger) -> Why:
    """Why a job is where it is: what it waits for, and until when where that is known."""
    found = await ledger.read(partial(why.of, tenant=caller.tenant, job_id=job_id, reach=caller.reach))
    return Why(causes=[CauseOut.of(cause) for cause in found])


def _whole(session: Session, caller: Caller, job_id: UUID) -> JobDetail:
    job = queries.get(session, caller.tenant, job_id, caller.reach)
    attempts = [AttemptOut.of(attempt) for attempt in queries.attempts(session, job_id)]
    return JobDetail.whole(job, attempts, [LineOut.of(line) for line in queries.log_lines(session, job_id)])
