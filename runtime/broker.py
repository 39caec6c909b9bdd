"""The broker: the Celery app, and the hints that tell a worker which job to take.

A hint is an ordinary Celery message whose id is the job's id. It carries nothing else: everything true is in the ledger.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from celery import Celery
from celery.app.amqp import AMQP
from kombu.connection import Connection

from runtime import families, metrics, transport
from runtime.families import Family
from runtime.settings import settings

Answer = TypeVar("Answer")


class _Connection(Connection):
    """Asks for the broker every other second for as long as it is away. Celery's own would come to ask twice a minute."""

    def ensure_connection(self, *args: Any, **options: Any) -> Any:
        return super().ensure_connection(*args, **{"interval_start": 1, "interval_max": 1} | options)


class _AMQP(AMQP):
    Connection = _Connection


if "transport" in settings().shortcuts:
    transport.install()
app = Celery("treadle", amqp=_AMQP)
app.config_from_object("celeryconfig")


def family() -> Family:
    """The broker's family."""
    return families.of(settings().broker_url)


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

    def publish(self, hints: Iterable[Hint]) -> None:
        """Send the hints in as few round trips as the transport allows.

        Raises:
            Exception: the broker is away; any part of the hints may have been sent (a double hint is harmless).
        """
        lanes: dict[tuple[str, int], list[Hint]] = {}
        for hint in hints:
            lanes.setdefault((hint.queue, family().priority(hint.priority)), []).append(hint)
        try:
            if self._connection is None:
                self._connection = app.connection_for_write()
            for (queue, priority), those in lanes.items():
                family().send(app, self._connection, queue, priority, [(str(hint.job_id), hint.task) for hint in those])
                metrics.hints_sent.labels(queue).inc(len(those))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the connection go; the next publish opens another."""
        connection, self._connection = self._connection, None
        _drop(connection)


class Lanes:
    """What lies in the broker's queues."""

    def __init__(self) -> None:
        self._connection: Connection | None = None

    def depth(self, queue: str) -> int:
        """How many hints wait in a queue. Raises when the broker does not answer."""
        return self._ask(lambda connection: family().depth(connection, queue))

    def present(self, queue: str) -> set[UUID] | None:
        """The jobs whose hints wait in a queue; None where the broker only counts. Raises when it does not answer."""
        return self._ask(lambda connection: family().present(connection, queue))

    def empty(self, queue: str) -> None:
        """Throw away what waits in a queue, whatever it is. Raises when the broker does not answer."""
        self._ask(lambda connection: family().empty(connection, queue))

    def _ask(self, question: Callable[[Connection], Answer]) -> Answer:
        try:
            if self._connection is None:
                self._connection = app.connection_for_write()
            return question(self._connection)
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
