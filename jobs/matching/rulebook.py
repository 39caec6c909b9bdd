"""All rules of a tenant, indexed by type and by plain values of their filters; read anew when there is a new edition."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, bindparam, inspect, select
from sqlalchemy.orm import Session

from jobs import webhooks
from jobs.matching import filters, patterns
from jobs.matching.filters import Document, Filter
from jobs.model import Endpoint, Rulebook, Subscription
from jobs.policy import RetryPolicy
from runtime.database import insert
from runtime.prepared import Prepared

Of = TypeVar("Of", Subscription, Endpoint)


@dataclass(frozen=True)
class Declared:
    """A subscription in code: `@task(on="order.paid")`. It is of every tenant, and its payload is the event's data."""

    name: str
    types: tuple[str, ...]
    task: str
    queue: str
    timeout: timedelta
    retry: RetryPolicy


@dataclass(frozen=True, eq=False)
class Rule:
    """What an event may set off: a subscription, or the telling of an endpoint."""

    of: Subscription | Declared | Endpoint
    types: tuple[str, ...]
    filter: Filter

    @property
    def name(self) -> str:
        """What people know it by."""
        return str(self.of.id) if isinstance(self.of, Endpoint) else self.of.name

    @cached_property
    def retry(self) -> RetryPolicy:
        """How its jobs are tried again."""
        match self.of:
            case Subscription() as subscription:
                return RetryPolicy.model_validate(subscription.retry)
            case Declared() as declared:
                return declared.retry
        return webhooks.RETRY

    @property
    def task(self) -> str:
        """What is done."""
        return webhooks.TASK if isinstance(self.of, Endpoint) else self.of.task


class _Shelf:
    """Rules of one pattern: those whose filter wants plain values of a field lie under these values."""

    def __init__(self) -> None:
        self._open: list[Rule] = []
        self._keyed: dict[filters.Path, dict[tuple[bool, Any], list[Rule]]] = {}

    def put(self, rule: Rule) -> None:
        key = rule.filter.key
        if key is None:
            self._open.append(rule)
        else:
            for value in key.values:
                self._keyed.setdefault(key.path, {}).setdefault(value, []).append(rule)

    def find(self, document: Document) -> Iterator[Rule]:
        yield from self._open
        for path, by_value in self._keyed.items():
            for value in filters.values_at(document, path):
                yield from by_value.get(filters.exactly(value), ())


class Book:
    """The rules of a tenant, in one edition."""

    def __init__(self, edition: UUID | None, rules: Iterable[Rule]) -> None:
        self.edition = edition
        self._patterns: patterns.Patterns[_Shelf] = patterns.Patterns()
        self._heard: dict[str, bool] = {}  # of our own types, which are few
        shelves: dict[str, _Shelf] = {}
        for rule in rules:
            for pattern in rule.types:
                if pattern not in shelves:
                    shelves[pattern] = _Shelf()
                    self._patterns.put(pattern, shelves[pattern])
                shelves[pattern].put(rule)

    def hears(self, event_type: str, *, ours: bool = False) -> bool:
        """Whether any rule listens for a type, whatever its filter."""
        heard = self._heard.get(event_type) if ours else None
        if heard is None:
            heard = next(self._patterns.find(event_type, ours=ours), None) is not None
            if ours:
                self._heard[event_type] = heard
        return heard

    def matching(self, document: Document, *, ours: bool = False) -> list[Rule]:
        """The rules that an event sets off, each once."""
        shelves = self._patterns.find(document["type"], ours=ours)
        found = {id(rule): rule for shelf in shelves for rule in shelf.find(document)}
        return [rule for rule in found.values() if rule.filter.fits(document)]


_EDITION = Prepared(select(Rulebook.edition).where(Rulebook.tenant == bindparam("tenant")), "tenant")
_declared: dict[str, Declared] = {}
_books: dict[str, Book] = {}


def declare(subscription: Declared) -> None:
    """Add a subscription that stands in code.

    Raises:
        Invalid: a pattern is none.
    """
    for pattern in subscription.types:
        patterns.check(pattern, "/on")
    _declared[subscription.name] = subscription
    _books.clear()


def declared() -> list[Declared]:
    """The subscriptions in code, by name."""
    return [_declared[name] for name in sorted(_declared)]


def current(session: Session, tenant: str) -> Book:
    """The tenant's rules as this transaction sees them: one read of one row, and the rules themselves only when changed."""
    book: Book | None = session.info.get(("rulebook", tenant))
    if book is None:
        edition = next((edition for (edition,) in _EDITION.returned(session.connection(), tenant)), None)
        book = _books.get(tenant)
        if book is None or book.edition != edition:
            book = _books[tenant] = Book(edition, _rules(session, tenant))
        session.info["rulebook", tenant] = book
    return book


def changed(session: Session, tenant: str) -> None:
    """Say that a rule of the tenant was made, changed or deleted, in the same transaction."""
    row = {"tenant": tenant, "edition": uuid4()}  # no number: an edition that was rolled back must never come again
    again = insert(session, Rulebook).values(row).on_conflict_do_update(index_elements=["tenant"], set_=row)
    session.execute(again)
    session.info.pop(("rulebook", tenant), None)


def rule_of(of: Subscription | Declared | Endpoint) -> Rule:
    """A rule, its filter compiled."""
    return Rule(of, tuple(of.types), filters.compiled({} if isinstance(of, Declared) else of.where))


def _rules(session: Session, tenant: str) -> Iterator[Rule]:
    yield from map(rule_of, declared())
    for subscription in _copies(session, Subscription, Subscription.tenant == tenant, Subscription.paused_at.is_(None)):
        yield rule_of(subscription)
    for endpoint in _copies(session, Endpoint, Endpoint.tenant == tenant):
        yield rule_of(endpoint)


def _copies(session: Session, table: type[Of], *which: ColumnElement[bool]) -> Iterator[Of]:
    """Rows as objects of no session: they outlive this one, which may hold and change its own."""
    names = [attribute.key for attribute in inspect(table).column_attrs]
    for row in session.execute(select(*(getattr(table, name) for name in names)).where(*which)):
        yield table(**dict(zip(names, row, strict=True)))
