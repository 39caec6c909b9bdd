"""Looking for jobs among millions: newest first, in pages, each on one index and of bounded work.

Of what is asked, one criterion leads: its index gives the candidates in order. The others are put to at most SCAN of these
a page. A page may so be short, or empty, and yet have a cursor to go on from.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import JSON, ColumnElement, Select, Text, cast, exists, or_, select
from sqlalchemy.orm import Session, aliased, defer

from jobs import cursors, queries
from jobs.labels import of_metadata, of_tag
from jobs.model import Job, Label
from jobs.reach import EVERYTHING, Reach
from jobs.states import State

SCAN = 2000  # candidates that one page looks at
COUNTED = 10_000  # jobs that a count counts

Criterion = Callable[[type[Job]], ColumnElement[bool]]


@dataclass(frozen=True)
class Filter:
    """Which jobs are meant. None means any."""

    state: State | None = None
    task: str | None = None
    queue: str | None = None
    schedule_id: UUID | None = None
    tags: tuple[str, ...] = ()  # all of them
    metadata: tuple[tuple[str, str], ...] = ()  # all of them
    account: str | None = None
    error_class: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    text: str | None = None  # somewhere in the payload, the result or the error
    reach: Reach = EVERYTHING  # of the key that asks

    def to_json(self) -> dict[str, Any]:
        """As it is stored; see `from_json`."""
        stored: dict[str, Any] = _STORED.dump_python(self, mode="json", exclude_defaults=True)
        return stored

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Filter":
        """A filter that was stored."""
        return _STORED.validate_python(stored)

    @property
    def leads(self) -> bool:
        """Whether anything but a text is asked that has an index."""
        return any((self.state, self.task, self.queue, self.schedule_id, self.error_class, self.account))

    @property
    def labels(self) -> list[str]:
        """The labels that a job must have."""
        return [*(of_tag(tag) for tag in self.tags), *(of_metadata(name, value) for name, value in self.metadata)]


_STORED = TypeAdapter(Filter)


@dataclass(frozen=True)
class Page:
    """Newest first; `next_cursor` is None when all was looked at."""

    jobs: Sequence[Job]
    next_cursor: str | None


@dataclass(frozen=True)
class Count:
    """How many jobs are meant; `exact` is False if there may be more."""

    count: int
    exact: bool


def page(
    session: Session, tenant: str, wanted: Filter, limit: int, cursor: str | None = None, *, payloads: bool = False
) -> Page:
    """A page of jobs, newest first, without their payloads unless these are asked for.

    Raises:
        Invalid: the cursor is not one of ours, or belongs to another filter.
    """
    before = cursors.read(cursor, wanted) if cursor is not None else None
    found, seen = _look(session, tenant, wanted, before, limit + 1, payloads=payloads)
    more = found[limit - 1].id if len(found) > limit else seen
    return Page(found[:limit], cursors.write(more, wanted) if more else None)


def next_ids(
    session: Session, tenant: str, wanted: Filter, before: UUID | None, limit: int
) -> tuple[list[UUID], UUID | None]:
    """The next jobs that are meant, newest first, and where to go on; None when all was looked at."""
    found, seen = _look(session, tenant, wanted, before, limit)
    ids = [job.id for job in found]
    return ids, ids[-1] if len(ids) == limit else seen


def count(session: Session, tenant: str, wanted: Filter) -> Count:
    """How many jobs are meant, looking at no more than COUNTED candidates."""
    candidates, rest = _plan(tenant, wanted, None)
    columns = [column for column in Job.__table__.c if wanted.text is not None or not isinstance(column.type, JSON)]
    columns = columns if rest else [Job.__table__.c.id]
    among = candidates.with_only_columns(*columns).limit(COUNTED + 1)
    entity = aliased(Job, among.subquery())
    looked_at = queries.how_many(session, among)
    meant = select(entity.id).where(*(test(entity) for test in rest))
    counted = queries.how_many(session, meant) if rest else looked_at
    return Count(min(counted, COUNTED), looked_at <= COUNTED)


def _look(
    session: Session, tenant: str, wanted: Filter, before: UUID | None, limit: int, *, payloads: bool = False
) -> tuple[Sequence[Job], UUID | None]:
    """At most `limit` jobs, and the last candidate if there may be more behind it."""
    leading, rest = _plan(tenant, wanted, before)
    candidates = leading.limit(SCAN).subquery()
    entity = aliased(Job, candidates) if rest else Job
    query = select(entity).where(*(test(entity) for test in rest)).order_by(entity.id.desc()) if rest else leading
    if not payloads:
        query = query.options(defer(entity.payload, raiseload=True))
    found = session.scalars(query.limit(limit)).all()
    if not rest:
        return found, None
    if len(found) == limit:
        return found, None
    return found, session.scalars(select(candidates.c.id).offset(SCAN - 1).limit(1)).one_or_none()


def _plan(tenant: str, wanted: Filter, before: UUID | None) -> "tuple[Select[Job], list[Criterion]]":
    """The candidates in order, and what is left to ask of each."""
    labels, others = wanted.labels, list(_others(wanted))
    if labels:
        query = select(Job).join(Label, Label.job_id == Job.id).where(Label.tenant == tenant, Label.label == labels[0])
        key = Label.job_id
        others[:0] = [partial(_is_labelled, label=label) for label in labels[1:]]
    else:
        query, key = select(Job).where(Job.tenant == tenant), Job.id
        if others and wanted.leads:
            query = query.where(others.pop(0)(Job))
    if wanted.created_after is not None:
        query = query.where(key >= _first_id(wanted.created_after))
    if wanted.created_before is not None:
        query = query.where(key < _first_id(wanted.created_before))
    if before is not None:
        query = query.where(key < before)
    return query.order_by(key.desc()), others


def _others(wanted: Filter) -> Iterator[Criterion]:
    """What is asked beside labels and times, the most telling first."""
    rare = wanted.state is not State.SUCCEEDED
    named = [
        ("schedule_id", wanted.schedule_id),
        ("error_class", wanted.error_class),
        ("account", wanted.account),
        ("state", wanted.state if rare else None),
        ("task", wanted.task),
        ("queue", wanted.queue),
        ("state", None if rare else wanted.state),
    ]
    for name, value in named:
        if value is not None:
            yield partial(_is, name=name, value=value)
    if wanted.reach.is_bounded:
        yield wanted.reach.criterion
    if wanted.text is not None:
        yield partial(_says, text=wanted.text)


def _is(entity: type[Job], name: str, value: object) -> ColumnElement[bool]:
    column: ColumnElement[object] = getattr(entity, name)
    return column == value


def _is_labelled(entity: type[Job], label: str) -> ColumnElement[bool]:
    return exists().where(Label.tenant == entity.tenant, Label.label == label, Label.job_id == entity.id)


def _says(entity: type[Job], text: str) -> ColumnElement[bool]:
    spelt = json.dumps(text)[1:-1]  # as the columns spell it
    return or_(
        *(cast(column, Text).icontains(spelt, autoescape=True) for column in (entity.payload, entity.result, entity.error))
    )


def _first_id(instant: datetime) -> UUID:
    """The least UUIDv7 of a moment: ids are ordered by acceptance, to the millisecond."""
    return UUID(int=int(instant.timestamp() * 1000) << 80)
