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

from jobs.attempts import Taken
from runtime import metrics
from workers import claims
from workers.execute import Ended, perform
from workers.member import Member, here, present
from workers.pool import TaskPool

log = structlog.get_logger()


class Hint:
    """What Celery, its remote control and Flower know of a job in hand."""

    def __init__(self, job_id: UUID, task: str, delivery: Any, consumer: Any, let_go: Callable[[], object]) -> None:
        self.job_id = job_id
        self.id, self.name = str(job_id), task
        self.eventer: Any = None  # Celery sets it after a lost connection; the consumer always has the right one
        self._delivery = delivery
        self._consumer = consumer
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
            "hostname": self._consumer.hostname,
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

    def end(self, ended: Ended | None = None) -> None:
        """What became of its job is recorded; None if there is nothing to tell of it."""
        self.leave()
        self._let_go()
        if ended is not None:
            self._say(f"task-{ended.event}", **ended.fields(runtime=time.time() - self._began))

    def _say(self, event: str, **fields: Any) -> None:
        if (eventer := self._consumer.event_dispatcher) is not None:
            eventer.send(event, uuid=self.id, **fields)


class Intake:
    """The hints of one turn of Celery's loop."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._pool: TaskPool = consumer.pool
        self._hints: list[Hint] = []
        self.on_turn: Callable[[], object] = _nothing  # called when some came in

    def take(self, job_id: UUID, task: str, queue: str) -> bool:
        """A hint that the transport has read by itself. False if there is no such task here: Celery says so."""
        known = task in self._consumer.strategies
        if known:
            self.add(Hint(job_id, task, {"exchange": "", "routing_key": queue}, self._consumer, _nothing))
        return known

    def add(self, hint: Hint) -> None:
        """Another one came in; they are claimed once Celery has read all that it got."""
        state.task_reserved(hint)
        if not self._hints:
            self._consumer.hub.call_soon(self._claim)
        self._hints.append(hint)

    def _claim(self) -> None:
        hints, self._hints = self._hints, []
        self.on_turn()
        member = present()
        if member is None or not member.is_trusted or member.draining.is_set():
            for hint in hints:
                self._pool.run(_await, hint)
        else:
            claiming = claims.begin([hint.job_id for hint in hints], member)
            claiming.add_done_callback(partial(self._start, hints, member))

    def _start(self, hints: Sequence[Hint], member: Member, claiming: claims.Claiming) -> None:
        for hint, job in zip(hints, claims.taken(claiming, [hint.job_id for hint in hints], member), strict=True):
            if job is None:
                hint.end()
            elif not self._pool.run(_perform, hint, job, member):
                claims.put_back(job, member)
        self._pool.wake()


def _await(hint: Hint) -> None:
    """Before this process has joined, and while its lease does not hold, a hint keeps its thread."""
    member = here()
    job = claims.take(hint.job_id, member)
    if job is None:
        hint.end()
    else:
        _perform(hint, job, member)


def _perform(hint: Hint, job: Taken, member: Member) -> None:
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
    add, late = intake(consumer).add, task.acks_late

    def on_message(message: Any, _: object, ack: Callable[..., object], *__: object) -> None:
        let_go = partial(ack, log, consumer.connection_errors)
        job_id = claims.named(message.headers["id"])
        if job_id is None or not late:
            let_go()
        if job_id is None:
            metrics.hints_stale.inc()
        else:
            add(Hint(job_id, task.name, message.delivery_info, consumer, let_go if late else _nothing))

    return on_message


def _nothing() -> None: ...
