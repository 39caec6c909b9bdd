"""The broker: the Celery app, and the hints that tell a worker which job to take.

A hint is an ordinary Celery message whose id is the job's id. It carries nothing else: everything true is in the ledger.
"""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from celery import Celery
from kombu.connection import Connection
from kombu.messaging import Producer

from runtime import metrics

Answer = TypeVar("Answer")

app = Celery("treadle")
app.config_from_object("celeryconfig")

# Our priorities rise with importance; Celery's Redis transport takes 0 first.
_STEPS = {0: 9, 1: 6, 2: 3, 3: 0}


class Hint(NamedTuple):
    """Which job is ready, and where its workers listen."""

    job_id: UUID
    task: str
    queue: str
    priority: int


class Outlet:
    """One kept connection for publishing. Not thread-safe: its owner is one thread.

    Every call is bounded by the socket timeouts of celeryconfig and raises when the broker does not answer.
    """

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._producer: Producer | None = None

    def publish(self, hints: Iterable[Hint]) -> None:
        """Send the hints in as few round trips as the transport allows.

        Raises:
            Exception: the broker is away; any part of the hints may have been sent (a double hint is harmless).
        """
        try:
            producer = self._open()
            with producer.batch():
                for hint in hints:
                    self._send(producer, hint)
                    metrics.hints_sent.labels(hint.queue).inc()
        except BaseException:
            self.close()
            raise

    def _open(self) -> Producer:
        if self._producer is None:
            self._connection = app.connection_for_write()
            self._producer = app.amqp.Producer(self._connection.channel(), auto_declare=False)
        return self._producer

    @staticmethod
    def _send(producer: Producer, hint: Hint) -> None:
        job_id = str(hint.job_id)
        message = app.amqp.create_task_message(
            job_id, hint.task, argsrepr="", kwargsrepr="", ignore_result=True, origin="treadle"
        )
        app.amqp.send_task_message(
            producer, hint.task, message, queue=hint.queue, priority=_STEPS[hint.priority], retry=False
        )

    def close(self) -> None:
        """Let the connection go; the next publish opens another."""
        connection, self._connection, self._producer = self._connection, None, None
        _drop(connection)


class Lanes:
    """What lies in the broker's queues, where the broker can tell (Redis and its kin); None where it cannot."""

    def __init__(self) -> None:
        self._connection: Connection | None = None

    def depth(self, queue: str) -> int | None:
        """How many hints wait in a queue. Raises when the broker does not answer."""

        def count(client: Any) -> int:
            return sum(client.llen(key) for key in _keys(queue))

        return self._ask(count)

    def present(self, queue: str) -> set[UUID] | None:
        """The jobs whose hints wait in a queue. Raises when the broker does not answer."""

        def read(client: Any) -> set[UUID]:
            found = (_job_of(raw) for key in _keys(queue) for raw in client.lrange(key, 0, -1))
            return {job_id for job_id in found if job_id is not None}

        return self._ask(read)

    def _ask(self, question: Callable[[Any], Answer]) -> Answer | None:
        try:
            if self._connection is None:
                self._connection = app.connection_for_write()
            client = getattr(self._connection.default_channel, "client", None)
            return question(client) if client is not None and hasattr(client, "llen") else None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the connection go; the next question opens another."""
        connection, self._connection = self._connection, None
        _drop(connection)


def _drop(connection: Connection | None) -> None:
    if connection is not None:
        with suppress(Exception):  # it may be broken in any way; it is being thrown away
            connection.close()


def _keys(queue: str) -> list[str]:
    """The Redis lists of a queue, one a priority, named as kombu's Redis transport names them."""
    return [queue if step == 0 else f"{queue}\x06\x16{step}" for step in sorted(_STEPS.values())]


def _job_of(raw: bytes) -> UUID | None:
    try:
        return UUID(json.loads(raw)["headers"]["id"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None  # rubbish in the lane: no hint of ours
