"""/v1/jobs"""

from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from api.auth import Reader, Writer
from api.body import StrictRoute
from api.dependencies import InLedger, RequestId, TraceParent
from api.filters import FilterIn, ListIn
from api.idempotency import IdempotencyKey, in_flight
from api.orders import JobIn
from api.prefer import Finish, PreferWait
from api.schemas import AttemptOut, CountOut, JobDetail, JobOut, JobPage, LineOut, MomentOut, SparseJob, SparsePage, Timeline
from jobs import flow, holds, queries, search, store, timeline
from jobs.errors import MoveRefused
from jobs.model import Job
from jobs.submit import Key, digest_of, submit
from runtime import clock

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)


@router.post(
    "",
    status_code=202,
    responses={
        200: {"model": JobOut, "description": "A job that was there before, or one that became final while we waited."}
    },
)
async def create_job(
    job: JobIn,
    response: Response,
    caller: Writer,
    ledger: InLedger,
    finish: Finish,
    request_id: RequestId,
    trace: TraceParent,
    wait: PreferWait,
    key: IdempotencyKey = None,
) -> JobOut:
    """Accept a job. When the answer comes, it is committed; it will run, whatever dies meanwhile."""
    order = job.order(caller, request_id, trace)
    keyed = Key(key, digest_of(job.model_dump(mode="json"))) if key else None
    with in_flight(caller.tenant, key):
        made = await ledger.write(lambda session: submit(session, order, keyed), row=f"key {key}" if key else "")
    found = await finish.wait(made.job.id, wait) if wait else None
    response.headers["Location"] = f"/v1/jobs/{made.job.id}"
    if wait:
        response.headers["Preference-Applied"] = f"wait={wait:.0f}"
    if made.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    if made.replayed or made.in_place or found:
        response.status_code = 200
    else:
        response.headers["Retry-After"] = "1"
    return JobOut.of(found or made.job)


@router.get("", response_model=JobPage | SparsePage, response_model_exclude_unset=True)
async def list_jobs(
    given: Annotated[ListIn, Query()], response: Response, caller: Reader, ledger: InLedger
) -> JobPage | SparsePage:
    """Jobs, newest first, payloads left out. All criteria must hold; `next_cursor` leads to the next page of the same.

    A search by more than one criterion looks at a bounded number of jobs a page: a page may be short, or empty, and yet
    have a `next_cursor`. When it is null, there is no more.
    """
    fields = given.only()
    page = await ledger.read(
        partial(search.page, tenant=caller.tenant, wanted=given.wanted(), limit=given.limit, cursor=given.cursor,
                payloads="payload" in fields)
    )  # fmt: skip
    if page.next_cursor:
        again = given.model_dump(mode="json", exclude_unset=True) | {"cursor": page.next_cursor}
        response.headers["Link"] = f'</v1/jobs?{urlencode(again, doseq=True)}>; rel="next"'
    if fields:
        return SparsePage(jobs=[SparseJob.of(job, fields) for job in page.jobs], next_cursor=page.next_cursor)
    return JobPage(jobs=[JobOut.of(job) for job in page.jobs], next_cursor=page.next_cursor)


@router.get("/count")
async def count_jobs(given: Annotated[FilterIn, Query()], caller: Reader, ledger: InLedger) -> CountOut:
    """How many jobs are meant. Cheap however many there are: past 10,000 looked at, it is said to be at least so many."""
    found = await ledger.read(partial(search.count, tenant=caller.tenant, wanted=given.wanted()))
    return CountOut(count=found.count, exact=found.exact)


@router.get("/{job_id}")
async def get_job(
    job_id: UUID, response: Response, caller: Reader, ledger: InLedger, finish: Finish, wait: PreferWait
) -> JobDetail:
    """A job whole: payload, every attempt, and the last lines of its log."""
    if wait:
        await ledger.read(lambda session: queries.get(session, caller.tenant, job_id))  # ours to wait for
        await finish.wait(job_id, wait)
        response.headers["Preference-Applied"] = f"wait={wait:.0f}"
    return await ledger.read(partial(_whole, tenant=caller.tenant, job_id=job_id))


@router.get("/{job_id}/timeline")
async def show_timeline(job_id: UUID, caller: Reader, ledger: InLedger) -> Timeline:
    """What happened to a job, oldest first: acceptance, attempts, lines of its log, and its end or what it waits for."""
    found = await ledger.read(partial(timeline.of, tenant=caller.tenant, job_id=job_id))
    return Timeline(moments=[MomentOut.of(moment) for moment in found])


@router.post("/{job_id}/cancel")
async def cancel_job(job_id: UUID, caller: Writer, ledger: InLedger) -> JobOut:
    """Cancel: at once if it waits; a running job is asked to give way, and `cancel_requested` says so."""

    def cancel(session: Session) -> Job:
        found = queries.get(session, caller.tenant, job_id)
        return store.cancel(session, job_id, clock.now()) or _refuse("cancelling it", found)

    return JobOut.of(await ledger.write(cancel, row=f"job {job_id}"))


@router.post("/{job_id}/retry", status_code=202)
async def retry_job(job_id: UUID, caller: Writer, ledger: InLedger) -> JobOut:
    """Retry by hand a job that failed, was cancelled or expired: its history is kept, its attempts start anew."""

    def revive(session: Session) -> Job:
        found = queries.get(session, caller.tenant, job_id)
        now = clock.now()
        room = not holds.is_held(found.account) and flow.window.take(
            session, found.queue, now
        )  # before it counts as waiting itself
        revived = store.revive(session, job_id, now) or _refuse("retrying it", found)
        if room:
            released = store.release(session, [job_id], now)
            flow.offer(session, released)
            return released[0]
        return revived

    return JobOut.of(await ledger.write(revive, row=f"job {job_id}"))


def _whole(session: Session, tenant: str, job_id: UUID) -> JobDetail:
    job = queries.get(session, tenant, job_id)
    attempts = [AttemptOut.of(attempt) for attempt in queries.attempts(session, job_id)]
    return JobDetail.whole(job, attempts, [LineOut.of(line) for line in queries.log_lines(session, job_id)])


def _refuse(wish: str, job: Job) -> Any:
    raise MoveRefused(wish, job.state)
