"""Which jobs a caller means."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.functional_validators import AfterValidator

from api.problems import Refused
from api.schemas import NO_NUL, QueueName, SparseJob, Tags, TaskName, Time
from jobs.errors import Invalid
from jobs.keys import Caller
from jobs.search import Filter
from jobs.states import State

Pair = Annotated[str, StringConstraints(min_length=2, max_length=565, pattern=r"^[^\x00=][^\x00]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NO_NUL)]
Phrase = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]


def _with_sign(pair: str) -> str:
    if "=" not in pair:
        raise ValueError("metadata is searched as name=value")
    return pair


class FilterIn(BaseModel):
    """All that is given must hold."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = None
    task: TaskName | None = None
    queue: QueueName | None = None
    schedule_id: UUID | None = None
    tags: Annotated[Tags, Field(description="All of them.")] = []
    metadata: Annotated[
        list[Annotated[Pair, AfterValidator(_with_sign)]],
        Field(max_length=20, description="All of them, each as name=value.", examples=[["customer=42"]]),
    ] = []
    account: Annotated[Name | None, Field(description="Of the provider that its task calls.", examples=["stripe-eu"])] = None
    error_class: Annotated[
        Name | None,
        Field(description="Of the last error.", examples=["Rejected"]),
    ] = None
    created_after: Annotated[Time | None, Field(description="Accepted at this time or later.")] = None
    created_before: Annotated[Time | None, Field(description="Accepted before this time.")] = None
    text: Annotated[
        Phrase | None, Field(description="Somewhere in payload, result or error; ASCII letters in upper or lower case.")
    ] = None

    def wanted(self, caller: Caller) -> Filter:
        """What the ledger is asked for.

        Raises:
            Refused: a text is searched in what the caller may not see.
        """
        if self.text is not None and caller.blind:
            raise Refused("forbidden", "This key does not see payloads, results and errors, and cannot search them.")
        given = {name: getattr(self, name) for name in FilterIn.model_fields if name not in {"tags", "metadata"}}
        pairs = (pair.partition("=") for pair in self.metadata)
        named = tuple((name, value) for name, _, value in pairs)
        return Filter(**given, tags=tuple(self.tags), metadata=named, reach=caller.reach)


class ListIn(FilterIn):
    """A page of the jobs that are meant."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Field(max_length=200, description="`next_cursor` of the page before.")] = None
    fields: Annotated[
        str | None,
        Field(max_length=500, description="Only these, by comma; `payload` is one of them.", examples=["id,state,payload"]),
    ] = None

    def only(self) -> set[str]:
        """The fields that are asked for; none: the usual.

        Raises:
            Invalid: one of them is none of a job's.
        """
        names = {name.strip() for name in self.fields.split(",")} if self.fields else set()
        if unknown := names - SparseJob.model_fields.keys():
            known = ", ".join(sorted(SparseJob.model_fields))
            raise Invalid.at("/query/fields", f"There is no field {min(unknown)[:64]!r}. The fields are: {known}.")
        return names
