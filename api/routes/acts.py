"""/v1/jobs/{id}: what can be done to a job"""

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.auth import JobOperator, JobWriter
from api.body import StrictRoute
from api.dependencies import InLedger
from api.merge_patch import merged
from api.orders import Span
from api.schemas import PRIORITIES, JobOut, Priority, Time
from jobs import acts
from jobs.model import Job
from runtime import clock
from tasks import catalogue

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)


class ChangeIn(BaseModel):
    """What to change of a job that waits; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    priority: Priority | None = None
    delay: Annotated[Span | None, Field(description="From now; or give run_at.")] = None
    run_at: Annotated[Time | None, Field(description="Not before this time; a time that has passed means now.")] = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.delay is not None and self.run_at is not None:
            raise ValueError("give delay or run_at, not both")
        if self.priority is None and self.delay is None and self.run_at is None:
            raise ValueError("give a priority, a delay or run_at")
        return self

    def values(self) -> dict[str, Any]:
        """The columns that it changes."""
        run_at: datetime | None = clock.now() + self.delay if self.delay is not None else self.run_at
        changes: dict[str, Any] = {} if run_at is None else {"run_at": run_at}
        return changes if self.priority is None else changes | {"priority": PRIORITIES.index(self.priority)}


@router.patch("/{job_id}", responses={409: {"description": "It does not wait."}})
async def change_job(job_id: UUID, given: ChangeIn, caller: JobOperator, ledger: InLedger) -> JobOut:
    """Change the time or the priority of a job that waits. A running or final job is left as it is: 409."""
    change = partial(acts.change, caller=caller, job_id=job_id, **given.values())
    return JobOut.of(await ledger.write(change, row=f"job {job_id}"))


@router.post("/{job_id}/cancel", responses={409: {"description": "It is final."}})
async def cancel_job(job_id: UUID, caller: JobOperator, ledger: InLedger) -> JobOut:
    """Cancel: at once if it waits; a running job is asked to give way, and `cancel_requested` says so."""
    return JobOut.of(await ledger.write(partial(acts.cancel, caller=caller, job_id=job_id), row=f"job {job_id}"))


@router.post("/{job_id}/retry", status_code=202, responses={409: {"description": "It is not final yet, or succeeded."}})
async def retry_job(job_id: UUID, caller: JobOperator, ledger: InLedger) -> JobOut:
    """Retry by hand a job that failed, was cancelled or expired: its history is kept, its attempts start anew."""
    return JobOut.of(await ledger.write(partial(acts.retry, caller=caller, job_id=job_id), row=f"job {job_id}"))


@router.post("/{job_id}/replay", status_code=202, responses={409: {"description": "It is not final yet."}})
async def replay_job(
    job_id: UUID,
    patch: Annotated[
        Any,
        Body(media_type="application/merge-patch+json", description="What differs in the payload.", examples=[{}]),
    ],
    response: Response,
    caller: JobWriter,
    ledger: InLedger,
) -> JobOut:
    """Make a new job from one that is final, its payload edited by a JSON Merge Patch (RFC 7396). The old one is kept.

    The new job sends another idempotency key to third parties. To try the same thing again, use retry.
    """

    def edit(old: Job) -> Any:
        payload = merged(old.payload, patch)
        catalogue.find(old.task).read(payload)
        return payload

    made = await ledger.write(partial(acts.replay, caller=caller, job_id=job_id, edit=edit), row=f"job {job_id}")
    response.headers["Location"] = f"/v1/jobs/{made.job.id}"
    return JobOut.of(made.job)
