"""Events in: each recorded once by its source and id, in one transaction with all the jobs that it sets off."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from jobs import firing, inbox
from jobs.arrival import Arrival
from jobs.errors import Forged
from jobs.inbox import Row
from jobs.matching import rulebook
from jobs.matching.rulebook import Rule
from jobs.model import DEFAULT_TENANT, Event, Job, LogLine
from jobs.order import Order
from jobs.submit import Submission, submit_many
from runtime import clock, metrics
from runtime.afterwards import after_commit


@dataclass(frozen=True)
class Recorded:
    """An event in the ledger: its id there, whether it had come before, how many rules it set off, and their jobs."""

    id: UUID
    duplicate: bool
    matched: int
    jobs: Sequence[UUID]


def record(
    session: Session, arrivals: Sequence[Arrival], tenant: str = DEFAULT_TENANT, request_id: str | None = None
) -> list[Recorded]:
    """Record events, and make the jobs of those that are new.

    Args:
        session: its transaction is the acceptance of all of them.
        arrivals: the events; one that comes twice among them counts once.
        tenant: whose they are.
        request_id: kept with the jobs.

    Raises:
        Forged: a signature's nonce was used before for another event.
    """
    now = clock.now()
    rules = [matching(session, arrival, tenant) for arrival in arrivals]
    rows = [inbox.row(arrival, tenant, now, len(found)) for arrival, found in zip(arrivals, rules, strict=True)]
    new = inbox.put(session, rows)
    known = _known(session, tenant, {_key(row) for row in rows if row["id"] not in new})
    orders = [
        firing.order(rule, arrival, row["id"], now, {}, tenant=tenant, request_id=request_id)
        for arrival, row, found in zip(arrivals, rows, rules, strict=True)
        if row["id"] in new
        for rule in found
    ]
    jobs: dict[UUID | None, list[UUID]] = {}
    for order, job_id in zip(orders, _submit(session, orders), strict=True):
        jobs.setdefault(order.event_id, []).append(job_id)
    _tell_jobs(session, [arrival for arrival, row in zip(arrivals, rows, strict=True) if row["id"] in new], tenant, now)
    _count(session, [row for row in rows if row["id"] in new], len(rows))
    return [
        Recorded(row["id"], False, row["matched"], jobs.get(row["id"], ())) if row["id"] in new else known[_key(row)]
        for row in rows
    ]


def matching(session: Session, arrival: Arrival, tenant: str) -> list[Rule]:
    """The rules that an event sets off."""
    return rulebook.current(session, tenant).matching(arrival.document, ours=arrival.is_ours)


def replay(session: Session, event: Event, names: Iterable[str] | None = None) -> list[UUID]:
    """Set off an event's rules again, as they are now: all that match, or those of them that are named. Returns the jobs."""
    arrival, now, wanted = Arrival.of(event), clock.now(), None if names is None else frozenset(names)
    rules = [rule for rule in matching(session, arrival, event.tenant) if wanted is None or rule.name in wanted]
    orders = [firing.order(rule, arrival, event.id, now, {"replayed": "true"}, tenant=event.tenant) for rule in rules]
    return _submit(session, orders)


def _key(row: Row) -> tuple[str, str]:
    return row["source"], row["source_id"]


def _known(session: Session, tenant: str, keys: set[tuple[str, str]]) -> dict[tuple[str, str], Recorded]:
    """The earlier records of events that came again."""
    earlier = inbox.recall(session, tenant, keys)
    if {(event.source, event.source_id) for event in earlier} != keys:
        raise Forged("the nonce of this signature was used before")
    jobs = inbox.jobs_of(session, [event.id for event in earlier]) if earlier else {}
    return {
        (event.source, event.source_id): Recorded(event.id, True, event.matched, [job.id for job in jobs.get(event.id, ())])
        for event in earlier
    }


def _submit(session: Session, orders: Sequence[Order]) -> list[UUID]:
    made = submit_many(session, [(order, None) for order in orders])
    return [each.job.id for each in made if isinstance(each, Submission)]  # without keys and places none is refused


def _tell_jobs(session: Session, new: Sequence[Arrival], tenant: str, now: datetime) -> None:
    """Write into the records of our jobs what a provider says became of their sends."""
    about = {arrival.about for arrival in new if arrival.about is not None}
    if not about:
        return
    found = session.execute(select(Job.id, Job.epoch).where(Job.tenant == tenant, Job.id.in_(about)))
    epochs: dict[UUID | None, int] = {job_id: epoch for job_id, epoch in found}  # noqa: C416 - a Row is a tuple, but not to mypy
    lines = [
        {"job_id": arrival.about, "epoch": epochs[arrival.about], "at": now, "level": "info", "message": arrival.type}
        for arrival in new
        if arrival.about in epochs
    ]
    if lines:
        session.execute(insert(LogLine), lines)


def _count(session: Session, new: Sequence[Row], came: int) -> None:
    dead = sum(row["matched"] == 0 for row in new)
    for outcome, count in (("matched", len(new) - dead), ("dead", dead), ("duplicate", came - len(new))):
        if count:
            after_commit(session, partial(metrics.events.labels(outcome).inc, count))
