"""/v1/sources: the providers whose webhooks are taken at /v1/hooks/{name}."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from api.auth import Admin, Reader
from api.body import StrictRoute
from api.dependencies import InLedger
from api.hooks import KINDS
from api.hooks.post import PREFIX
from api.routes.hooks import Name
from api.schemas import NO_NUL, Word
from jobs import audit, sources
from jobs.errors import Invalid
from jobs.model import Source
from runtime import clock

router = APIRouter(prefix="/v1/sources", tags=["hooks"], route_class=StrictRoute)

NewName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Secret = Annotated[str, StringConstraints(min_length=8, max_length=1000, pattern=NO_NUL)]
Secrets = Annotated[list[Secret], Field(max_length=5, description="Any may have signed: two during a rotation.")]
OptionName = Annotated[str, StringConstraints(min_length=1, max_length=32, pattern=NO_NUL)]
Options = Annotated[dict[OptionName, Word], Field(max_length=10, description="See /v1/sources/kinds.")]


class SourceIn(BaseModel):
    """Who posts, and how it signs."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[NewName, Field(description="The last part of the path that it posts to.", examples=["stripe"])]
    kind: Annotated[str, Field(max_length=32, examples=["stripe"])]
    secrets: Secrets = []
    options: Options = {}


class SourceChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    secrets: Secrets | None = None
    options: Options | None = None


class SourceOut(BaseModel):
    """A source, without its secrets."""

    name: str
    kind: str
    path: str = Field(description="Where it posts to.")
    secrets: int = Field(description="How many it has.")
    options: dict[str, str]
    created_at: datetime
    revision: int

    @classmethod
    def of(cls, one: Source) -> Self:
        """A source as the door shows it."""
        plain = {"name": one.name, "kind": one.kind, "options": one.options, "created_at": one.created_at}
        return cls(**plain, path=f"{PREFIX}/{one.name}", secrets=len(one.secrets), revision=one.revision)


class SourceList(BaseModel):
    """All sources, by name."""

    sources: list[SourceOut]


class KindOut(BaseModel):
    """A kind of source."""

    name: str
    secret: str
    needs: list[str]
    takes: list[str]


class KindList(BaseModel):
    """All kinds, by name."""

    kinds: list[KindOut]


@router.post("", status_code=201, responses={409: {"description": "There is a source of this name."}})
async def create_source(given: SourceIn, response: Response, caller: Admin, ledger: InLedger) -> SourceOut:
    """Store a source. From now on it may post to /v1/hooks/{name}."""
    if given.kind not in KINDS:
        raise Invalid.at("/kind", f"The kinds are: {', '.join(KINDS)}.")
    KINDS[given.kind].check(given.secrets, given.options)

    def add(session: Session) -> Source:
        values = given.model_dump()
        made = Source(tenant=caller.tenant, created_at=clock.now(), revision=1, **values)
        sources.add(session, made)
        audit.note(session, caller, "source.create", made.name)
        return made

    made = await ledger.write(add, row=f"source {given.name}")
    response.headers["Location"] = f"/v1/sources/{made.name}"
    return SourceOut.of(made)


@router.get("")
async def list_sources(caller: Reader, ledger: InLedger) -> SourceList:
    """All sources."""
    found = await ledger.read(lambda session: sources.listed(session, caller.tenant))
    return SourceList(sources=[SourceOut.of(one) for one in found])


@router.get("/kinds")
async def list_kinds(caller: Reader) -> KindList:
    """The kinds of sources: what each needs."""
    return KindList(
        kinds=[
            KindOut(name=kind.name, secret=kind.secret, needs=list(kind.needs), takes=list(kind.takes))
            for kind in KINDS.values()
        ]
    )


@router.get("/{name}")
async def get_source(name: Name, caller: Reader, ledger: InLedger) -> SourceOut:
    """One source."""
    return SourceOut.of(await ledger.read(lambda session: sources.get(session, caller.tenant, name)))


@router.patch("/{name}")
async def change_source(name: Name, given: SourceChange, caller: Admin, ledger: InLedger) -> SourceOut:
    """Change a source's secrets or options."""

    def change(session: Session) -> Source:
        found = sources.get(session, caller.tenant, name)
        changes = {each: getattr(given, each) for each in given.model_fields_set if getattr(given, each) is not None}
        KINDS[found.kind].check(changes.get("secrets", found.secrets), changes.get("options", found.options))
        sources.change(found, **changes)
        audit.note(session, caller, "source.change", name, fields=sorted(changes))
        return found

    return SourceOut.of(await ledger.write(change, row=f"source {name}"))


@router.delete("/{name}", status_code=204)
async def delete_source(name: Name, caller: Admin, ledger: InLedger) -> None:
    """Delete a source. Its events stay; its posts are answered with 404."""

    def delete(session: Session) -> None:
        session.delete(sources.get(session, caller.tenant, name))
        audit.note(session, caller, "source.delete", name)

    await ledger.write(delete, row=f"source {name}")
