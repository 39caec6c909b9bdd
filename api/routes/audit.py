"""/v1/audit: who did what"""

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, StringConstraints

from api.auth import Admin
from api.dependencies import InLedger
from api.schemas import NO_NUL
from jobs import audit
from jobs.model import Deed

router = APIRouter(prefix="/v1/audit", tags=["audit"])

About = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=NO_NUL)]


class DeedOut(BaseModel):
    """Something that someone did."""

    id: UUID
    at: datetime
    who: str
    what: str
    about: str
    detail: dict[str, Any]
    request_id: str | None

    @classmethod
    def of(cls, deed: Deed) -> Self:
        """A deed as the door shows it."""
        return cls.model_validate(deed, from_attributes=True)


class DeedList(BaseModel):
    """What was done, newest first. Go on with `before` set to the last id."""

    deeds: list[DeedOut]


@router.get("")
async def list_deeds(
    caller: Admin,
    ledger: InLedger,
    about: Annotated[About | None, Query(description="Only what was done to this job, key, queue or bulk action.")] = None,
    before: Annotated[UUID | None, Query(description="Only what came before this entry.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeedList:
    """What was done by hand, by whom: cancels, retries, changes, bulk actions, pauses, keys."""
    find = partial(audit.entries, tenant=caller.tenant, about=about, before=before, limit=limit)
    return DeedList(deeds=[DeedOut.of(deed) for deed in await ledger.read(find)])
