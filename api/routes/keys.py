"""/v1/keys: who may call"""

from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy.orm import Session

from api.auth import Admin
from api.body import StrictRoute
from api.dependencies import InLedger
from api.schemas import FARTHEST, NO_NUL
from jobs import audit, keys
from jobs.errors import KeyNotFound
from jobs.keys import Scope
from jobs.model import ApiKey
from jobs.reach import PATTERN, Reach
from runtime.duration import Duration

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=StrictRoute)

Pattern = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=PATTERN)]
Patterns = Annotated[list[Pattern], Field(max_length=50)]
KeyId = Annotated[str, Path(min_length=1, max_length=16, pattern=r"^[0-9a-z]+$")]


class KeyIn(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=NO_NUL)]
    scope: Scope = "write"
    lifetime: Annotated[
        Duration | None,
        Field(ge=timedelta(seconds=1), le=FARTHEST, description="Ends after this long; never, if not given."),
    ] = None
    tasks: Annotated[Patterns, Field(description="The tasks whose jobs it reaches.", examples=[["stripe.*"]])] = []
    queues: Annotated[Patterns, Field(description="And the queues. Of none at all: any.")] = []
    blind: Annotated[
        bool, Field(strict=True, description="Hide payloads, results and errors from it; only with the scope read.")
    ] = False
    quota: Annotated[
        int | None, Field(strict=True, ge=1, le=10_000_000, description="Requests a minute; TREADLE_QUOTA, if null.")
    ] = None

    @model_validator(mode="after")
    def _blind_reads(self) -> Self:
        if self.blind and self.scope != "read":
            raise ValueError("a key that may change jobs is shown what it changes: blind goes with the scope read only")
        return self


class RotationIn(BaseModel):
    """How long the secret before is still taken."""

    model_config = ConfigDict(extra="forbid")

    overlap: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=30))] = timedelta(hours=1)


class KeyOut(BaseModel):
    """A key, without its secret."""

    id: str
    name: str
    scope: Scope
    tasks: list[str]
    queues: list[str]
    blind: bool
    quota: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    before_until: datetime | None = Field(description="Until then the secret before the last rotation is taken.")

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """A key as the door shows it."""
        return cls(**_shown(key))


class KeyMade(KeyOut):
    """A key, with its secret: the only time that it is shown."""

    key: str


class KeyList(BaseModel):
    """The keys, oldest first."""

    keys: list[KeyOut]


@router.post("", status_code=201)
async def create_key(given: KeyIn, response: Response, caller: Admin, ledger: InLedger) -> KeyMade:
    """Make a key. It is shown in this answer, and never again."""

    def make(session: Session) -> KeyMade:
        reach = Reach(tuple(given.tasks), tuple(given.queues))
        rights: dict[str, Any] = {"reach": reach, "blind": given.blind, "quota": given.quota}
        key = keys.create(session, given.name, given.scope, caller.tenant, given.lifetime, **rights)
        made = keys.get(session, key.split("_")[1])
        audit.note(session, caller, "key.create", made.id, name=made.name, scope=made.scope)
        return KeyMade(**_shown(made), key=key)

    made = await ledger.write(make)
    response.headers["Location"] = f"/v1/keys/{made.id}"
    return made


@router.get("")
async def list_keys(
    caller: Admin, ledger: InLedger, ended: Annotated[bool, Query(description="Those that have ended, too.")] = False
) -> KeyList:
    """The keys: their ids and rights, never their secrets."""
    found = await ledger.read(partial(keys.listed, tenant=caller.tenant, ended=ended))
    return KeyList(keys=[KeyOut.of(key) for key in found])


@router.get("/{key_id}")
async def get_key(key_id: KeyId, caller: Admin, ledger: InLedger) -> KeyOut:
    """One key."""
    return KeyOut.of(await ledger.read(partial(keys.get, key_id=key_id, tenant=caller.tenant)))


@router.post("/{key_id}/rotate")
async def rotate_key(key_id: KeyId, given: RotationIn, caller: Admin, ledger: InLedger) -> KeyMade:
    """Give a key another secret, shown in this answer. The one before is taken for `overlap` longer."""

    def rotate(session: Session) -> KeyMade:
        key = keys.rotate(session, key_id, given.overlap, caller.tenant)
        audit.note(session, caller, "key.rotate", key_id, overlap=given.overlap.total_seconds())
        return KeyMade(**_shown(keys.get(session, key_id)), key=key)

    return await ledger.write(rotate, row=f"key of a caller {key_id}")


@router.delete("/{key_id}", status_code=204)
async def revoke_key(key_id: KeyId, caller: Admin, ledger: InLedger) -> None:
    """End a key at once: within a second, since each process remembers for so long that it was valid."""

    def revoke(session: Session) -> None:
        if not keys.revoke(session, key_id, caller.tenant):
            raise KeyNotFound(key_id)
        audit.note(session, caller, "key.revoke", key_id)

    await ledger.write(revoke, row=f"key of a caller {key_id}")


def _shown(key: ApiKey) -> dict[str, Any]:
    plain = {name: getattr(key, name) for name in KeyOut.model_fields}
    return plain | {"tasks": key.tasks or [], "queues": key.queues or [], "blind": bool(key.blind)}
