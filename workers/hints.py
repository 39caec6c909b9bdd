"""From Celery's message to a claimed job in the pool of threads: a strategy for messages that are only hints.

Celery's own (`celery.worker.strategy.default`, which prefork has) makes a request that knows of arguments, times, rates,
revocations and results, and traces the task: nothing that a hint has. Hints that come in together are claimed together.
"""

import os
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

import structlog
from celery.worker import state, strategy

from jobs.claims import Taken
from runtime import metrics
from workers import claims
from workers.execute import Ended, perform
from workers.member import Member, here, present
from workers.pool import TaskPool
from workers.slots import Slots

log = structlog.get_logger()


class Hint:
    """What Celery, its remote control and Flower know of a job in hand."""

    def __init__(self, job_id: UUID, task: str, delivery: Any, intake: "Intake", let_go: Callable[[], object]) -> None:
        self.job_id = job_id
        self.id, self.name = str(job_id), task
        self.eventer: Any = None  # Celery sets it after a lost connection; the consumer always has the right one
        self._delivery = delivery
        self._intake = intake
        self._let_go = let_go
        self._began = 0.0

    def info(self, safe: bool = False) -> dict[str, Any]:
        """What `inspect active` shows."""
        return {
            "id": self.id,
            "name": self.name,
            "args": [],
            "kwargs": {},
            "type": self.name,
            "hostname": self._intake.consumer.hostname,
            "time_start": self._began or None,
            "acknowledged": True,
            "delivery_info": self._delivery,
            "worker_pid": os.getpid(),
        }

    def begin(self) -> None:
        """Its job is claimed, and has a thread."""
        self._began = time.time()
        state.task_accepted(self)
        self._say("task-received", name=self.name, args="", kwargs="", root_id=self.id, parent_id=None, retries=0)
        self._say("task-started")

    def leave(self) -> None:
        """Its slot is free."""
        state.task_ready(self)
        self._intake.slots.leave(self)

    def end(self, ended: Ended | None = None) -> None:
        """What became of its job is recorded; None if there is nothing to tell of it."""
        self._let_go()
        if ended is not None:
            self._say(f"task-{ended.event}", **ended.fields(runtime=time.time() - self._began))

    def _say(self, event: str, **fields: Any) -> None:
        if (eventer := self._intake.consumer.event_dispatcher) is not None:
            eventer.send(event, uuid=self.id, **fields)


class Intake:
    """The hints that came in: those of one turn of Celery's loop are claimed together."""

    def __init__(self, consumer: Any) -> None:
        self.consumer = consumer
        self.on_turn: Callable[[], object] = _nothing  # called when some came in
        self._pool: TaskPool = consumer.pool
        self._new: list[Hint] = []
        self.slots = Slots(consumer.pool, consumer.hub)

    def take(self, job_id: UUID, task: str, queue: str) -> bool:
        """A hint that the transport has read by itself. False if there is no such task here: Celery says so."""
        known = task in self.consumer.strategies
        if known:
            self.add(Hint(job_id, task, {"exchange": "", "routing_key": queue}, self, _nothing))
        return known

    def add(self, hint: Hint) -> None:
        """Another one came in; they are claimed once Celery has read all that it got."""
        self.slots.take(hint)
        if not self._new:
            self.consumer.hub.call_soon(self._claim)
        self._new.append(hint)

    def withdraw(self, age: float) -> list[Taken]:
        """Take back the claimed jobs that have waited for a thread for so many seconds."""
        waited = self._pool.withdraw(age)
        for _, (hint, *_) in waited:
            hint.leave()
            hint.end()
        return [job for _, (_, *claimed) in waited for job in claimed[:1]]

    def _claim(self) -> None:
        hints, self._new = self._new, []
        self.on_turn()
        member = present()
        if member is None or not member.is_trusted or member.draining.is_set():
            for hint in hints:
                self._pool.run(_await, hint)
        else:
            claims.begin([hint.job_id for hint in hints], member, partial(self._start, hints, member))

    def _start(self, hints: Sequence[Hint], member: Member, jobs: Sequence[Taken | None]) -> None:
        for hint, job in zip(hints, jobs, strict=True):
            if job is None:
                hint.leave()
                hint.end()
            elif not self._pool.run(_perform, hint, job, member):
                claims.put_back([job], member)


def _await(hint: Hint) -> None:
    """Before this process has joined, and while its lease does not hold, a hint keeps its thread."""
    job, member = None, here()
    try:
        job = claims.take(hint.job_id, member)
    finally:
        if job is None:
            hint.leave()
            hint.end()
    if job is not None:
        _perform(hint, job, member)


def _perform(hint: Hint, job: Taken, member: Member) -> None:
    if member.draining.is_set() or not member.is_trusted:  # it waited for its thread
        hint.leave()
        hint.end()
        claims.put_back([job], member)
        return
    hint.begin()
    try:
        perform(job, member, hint.end)
    except BaseException:
        log.exception("an attempt could not be recorded", job_id=hint.id)
        hint.end()
    finally:
        hint.leave()


@lru_cache(maxsize=1)
def intake(consumer: Any) -> Intake:
    """That of this process's consumer."""
    return Intake(consumer)


def from_message(task: Any, app: Any, consumer: Any, **options: Any) -> Callable[..., object]:
    """The strategy of a task: what a worker does with a message of it."""
    if not isinstance(consumer.pool, TaskPool):
        otherwise: Callable[..., object] = strategy.default(task, app, consumer, **options)
        return otherwise
    taken, late = intake(consumer), task.acks_late

    def on_message(message: Any, _: object, ack: Callable[..., object], *__: object) -> None:
        let_go = partial(ack, log, consumer.connection_errors)
        job_id = claims.named(message.headers["id"])
        if job_id is None or not late:
            let_go()
        if job_id is None:
            metrics.hints_stale.inc()
        else:
            hint = Hint(job_id, task.name, message.delivery_info, taken, let_go if late else _nothing)
            state.task_reserved(hint)  # Celery's own transport reads no more than there are slots by this
            taken.add(hint)

    return on_message


def _nothing() -> None: ...
