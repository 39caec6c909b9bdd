"""/v1/bulk-actions"""

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.auth import Operator, Reader
from api.body import StrictRoute
from api.dependencies import InLedger
from api.filters import FilterIn
from api.orders import Span
from api.schemas import PRIORITIES, CountOut, Priority, Time
from jobs import bulk_actions
from jobs.keys import Caller
from jobs.model import BulkAction
from jobs.search import Filter
from jobs.states import State
from runtime import clock

router = APIRouter(prefix="/v1/bulk-actions", tags=["bulk actions"], route_class=StrictRoute)

PREVIEWED: dict[int | str, dict[str, Any]] = {200: {"model": CountOut, "description": "A preview."}}

Verb = Literal["retry", "cancel", "reschedule", "prioritise"]


class ActionIn(BaseModel):
    """What to do, and to which jobs."""

    model_config = ConfigDict(extra="forbid")

    verb: Verb
    filter: Annotated[
        FilterIn, Field(description="At least one criterion. For retry, state is failed unless it is given.")
    ] = FilterIn()
    rate: Annotated[float | None, Field(strict=True, ge=1, le=100_000, description="Jobs a second, at most.")] = None
    priority: Annotated[Priority | None, Field(description="For prioritise.")] = None
    delay: Annotated[Span | None, Field(description="For reschedule: from now; or give run_at.")] = None
    run_at: Annotated[Time | None, Field(description="For reschedule: not before this time.")] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.priority is not None) != (self.verb == "prioritise"):
            raise ValueError("give a priority with prioritise, and with nothing else")
        times = (self.delay is not None) + (self.run_at is not None)
        if times != (self.verb == "reschedule"):
            raise ValueError("give either delay or run_at with reschedule, and with nothing else")
        if self.verb != "retry" and self.filter == FilterIn():
            raise ValueError("say which jobs are meant: the filter is empty")
        return self

    def wanted(self, caller: Caller) -> Filter:
        """Which jobs are meant."""
        if self.verb == "retry" and self.filter.state is None:
            return self.filter.model_copy(update={"state": State.FAILED}).wanted(caller)
        return self.filter.wanted(caller)

    def given(self) -> dict[str, Any]:
        """What the verb needs."""
        if self.priority is not None:
            return {"priority": PRIORITIES.index(self.priority)}
        run_at = clock.now() + self.delay if self.delay is not None else self.run_at
        return {} if run_at is None else {"run_at": run_at.isoformat()}


class ActionOut(BaseModel):
    """How a bulk action stands."""

    id: UUID
    verb: Verb | Literal["purge"]
    filter: dict[str, Any]
    rate: float | None
    state: Literal["running", "aborted", "finished"]
    expected: int = Field(description="Jobs that were meant when it was made; 10000: at least so many.")
    done: int
    skipped: int = Field(description="Jobs that were no longer in a state that allows it.")
    made_by: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, action: BulkAction) -> Self:
        """A bulk action as the door shows it."""
        plain = {name: getattr(action, name) for name in cls.model_fields if name != "filter"}
        return cls(**plain, filter=action.wanted)


class ActionList(BaseModel):
    """The last bulk actions, newest first."""

    actions: list[ActionOut]


@router.post(
    "",
    status_code=202,
    response_model=ActionOut | CountOut,
    responses=PREVIEWED,
)
async def begin_action(
    given: ActionIn,
    response: Response,
    caller: Operator,
    ledger: InLedger,
    preview: Annotated[bool, Query(description="Do nothing; say how many jobs would be met.")] = False,
) -> ActionOut | CountOut:
    """Do something to all jobs of a filter that were accepted until now, in the background, newest first."""
    if preview:
        response.status_code = 200
        found = await ledger.read(partial(bulk_actions.preview, tenant=caller.tenant, wanted=given.wanted(caller)))
        return CountOut.of(found)
    begin = partial(
        bulk_actions.begin, caller=caller, verb=given.verb, given=given.given(), wanted=given.wanted(caller), rate=given.rate
    )
    action = await ledger.write(begin)
    response.headers["Location"] = f"/v1/bulk-actions/{action.id}"
    return ActionOut.of(action)


@router.get("")
async def list_actions(caller: Reader, ledger: InLedger, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> ActionList:
    """The last bulk actions, newest first."""
    found = await ledger.read(partial(bulk_actions.listed, tenant=caller.tenant, limit=limit))
    return ActionList(actions=[ActionOut.of(action) for action in found])


@router.get("/{action_id}")
async def get_action(action_id: UUID, caller: Reader, ledger: InLedger) -> ActionOut:
    """One bulk action, and how far it is."""
    return ActionOut.of(await ledger.read(partial(bulk_actions.get, tenant=caller.tenant, action_id=action_id)))


@router.post("/{action_id}/abort", responses={409: {"description": "It does not run."}})
async def abort_action(action_id: UUID, caller: Operator, ledger: InLedger) -> ActionOut:
    """Stop before the next batch. What was done stays done."""
    abort = partial(bulk_actions.abort, caller=caller, action_id=action_id)
    return ActionOut.of(await ledger.write(abort, row=f"action {action_id}"))


@router.post("/{action_id}/resume", responses={409: {"description": "It was not aborted."}})
async def resume_action(action_id: UUID, caller: Operator, ledger: InLedger) -> ActionOut:
    """Go on where it was aborted. No job is met twice."""
    resume = partial(bulk_actions.resume, caller=caller, action_id=action_id)
    return ActionOut.of(await ledger.write(resume, row=f"action {action_id}"))
