"""The way in: a request becomes one committed row; its hint follows the commit."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from jobs import admission, flow, holds, idempotency, labels, queries, unique
from jobs.errors import JobError, JobNotFound
from jobs.idempotency import Key, digest_of
from jobs.model import Job, unsaved
from jobs.order import OnConflict, Order
from jobs.states import State
from runtime import clock, metrics
from runtime.afterwards import after_commit
from runtime.database import EPOCH
from runtime.prepared import inserting
from runtime.settings import settings

__all__ = ["Key", "Order", "Submission", "digest_of", "submit", "submit_each", "submit_many"]


_VALUES = tuple(Order("", None, "").row(UUID(int=0), EPOCH))  # what a new job has; the rest is NULL
_INSERT = inserting(Job, *_VALUES)
_row = itemgetter(*_VALUES)


@dataclass(frozen=True)
class Submission:
    """The job that stands for a request, and how it comes to."""

    job: Job
    replayed: bool = False  # an earlier request with the same Idempotency-Key had made it
    in_place: OnConflict | None = None  # it held the order's place, and this was done to it


def submit(session: Session, order: Order, key: Key | None = None) -> Submission:
    """Record a job, once for each idempotency key, or find the job that holds its place.

    Args:
        session: its transaction is the job's acceptance.
        order: what to do.
        key: the caller's Idempotency-Key, if any.

    Raises:
        KeyReused: the key came before with another request.
        NotUnique: another job holds the order's place, and the order does not want it instead.
        Overloaded: the queue is too late to take more.
    """
    (made,) = _record(session, [(order, key)])
    if isinstance(made, JobError):
        raise made
    return made


def submit_many(session: Session, orders: Sequence[tuple[Order, Key | None]]) -> list[Submission | JobError]:
    """Record many jobs of one tenant in this transaction. An order that is refused has its error in its place."""
    if settings().shed_after is None and all(order.unique is None for order, _ in orders):
        return _record(session, orders)
    return [_alone(session, order, key) for order, key in orders]


def submit_each(session: Session, orders: Sequence[tuple[Order, Key | None]]) -> list[Submission | JobError]:
    """Record jobs that have nothing to do with each other, whoever's they are: what comes in together, at once."""
    answers: dict[int, Submission | JobError] = {}
    waiting = dict(enumerate(orders))
    while waiting:
        first: dict[Any, int] = {}  # who repeats a key comes after the one that it repeats
        for place, (order, key) in waiting.items():
            first.setdefault((order.tenant, key.name) if key is not None else place, place)
        for tenant in {waiting[place][0].tenant for place in first.values()}:
            places = [place for place in first.values() if waiting[place][0].tenant == tenant]
            made = submit_many(session, [waiting[place] for place in places])
            answers |= dict(zip(places, made, strict=True))
        waiting = {place: order for place, order in waiting.items() if place not in answers}
    return [answers[place] for place in range(len(orders))]


def _alone(session: Session, order: Order, key: Key | None) -> Submission | JobError:
    try:
        with session.begin_nested():
            return submit(session, order, key)
    except JobError as refusal:
        return refusal


def _record(session: Session, orders: Sequence[tuple[Order, Key | None]]) -> list[Submission | JobError]:
    now, ids = clock.now(), [order.id or uuid7() for order, _ in orders]
    known = _known(session, orders, ids)
    made: list[tuple[Order, Job]] = []
    answers: list[Submission | JobError] = []
    for job_id, (order, key), earlier in zip(ids, orders, known, strict=True):
        if isinstance(earlier, JobError):
            answers.append(earlier)
        elif earlier is not None:
            metrics.replayed.inc()
            answers.append(Submission(earlier, replayed=True))
        elif order.unique and (holder := unique.take(session, order, order.unique, job_id, now)):
            if key is not None:
                idempotency.point(session, order.tenant, key, holder.id)
            answers.append(Submission(holder, in_place=order.unique.on_conflict))
        else:
            taken = admission.admit(session, order, now)
            job = unsaved(taken.row(job_id, now))
            made.append((taken, job))
            answers.append(Submission(job))
    _insert(session, made)
    return answers


def _known(
    session: Session, orders: Sequence[tuple[Order, Key | None]], ids: Sequence[UUID]
) -> Sequence[Job | JobError | None]:
    """For each order the job that its key stands for, if it came before."""
    keyed = [(key, job_id) for (_, key), job_id in zip(orders, ids, strict=True) if key is not None]
    if not keyed:
        return [None] * len(orders)
    found = idempotency.remember(session, orders[0][0].tenant, keyed, clock.now())
    jobs = queries.several(session, {known for known in found.values() if isinstance(known, UUID)})
    known = (found.get(key.name) if key is not None else None for _, key in orders)
    return [jobs.get(earlier, JobNotFound(earlier)) if isinstance(earlier, UUID) else earlier for earlier in known]


def _insert(session: Session, made: Sequence[tuple[Order, Job]]) -> None:
    if not made:
        return
    now, hinted = clock.now(), []
    for order, job in made:  # an order's values are found in a tenth of the time of a job's
        is_due = order.run_at is None or order.run_at <= now
        if is_due and not holds.keeps(job, now) and flow.window.take(session, order.queue, now, order.priority):
            vars(job).update(state=State.QUEUED, hinted_at=now)  # no session watches it yet
            hinted.append(flow.hint(job))
    _INSERT.execute(session.connection(), (_row(vars(job)) for _, job in made))
    labels.write(session, made)
    flow.offer(session, hinted)
    for (task, queue), count in Counter((order.task, order.queue) for order, _ in made).items():
        after_commit(session, partial(metrics.submitted.labels(task, queue).inc, count))
