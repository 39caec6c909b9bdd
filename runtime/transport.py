"""kombu's Redis transport, for queues whose messages are only hints.

Whoever can write to Redis can put anything into a queue, and some of it ends the Celery worker that reads it, again after
every restart. Here no message is believed. All that one can say is which job of which task is ready: the worker gets a
message made here of those two words, and what else it held is gone. A message that does not say so much is dropped.

Nor does a message ever come back. kombu keeps what it hands out in Redis until it is acknowledged, and returns it when a
worker stops: four commands a job, and a way for rubbish to kill the next worker too. What a worker took and did not claim,
the ledger offers again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from math import inf
from queue import Empty
from typing import Any, ClassVar
from uuid import UUID

import structlog
from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.transport import redis as kombus
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps, loads
from pydantic_core import from_json
from redis.exceptions import RedisError, ResponseError

from runtime import clock, metrics
from runtime.settings import settings

log = structlog.get_logger()

BURST = 0.005  # seconds between two readings: hints that come faster come in numbers
LONGEST = 8192  # bytes that are looked at; a hint has about 900
_NO_ARGUMENTS = '[[], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'


class Rubbish(Exception):
    """A message that is no hint of ours. It says why in one word, a label of the metric."""


def read(raw: bytes) -> tuple[UUID, str]:
    """The job and the task that a hint names.

    Raises:
        Rubbish: it is no hint.
    """
    if len(raw) > LONGEST:
        raise Rubbish("long")
    try:
        headers = from_json(raw)["headers"]
        job_id, task = UUID(headers["id"]), headers["task"]
    except (ValueError, RecursionError):
        raise Rubbish("unreadable") from None
    except (LookupError, TypeError, AttributeError):
        raise Rubbish("shapeless") from None
    if not isinstance(task, str) or not task.isprintable():
        raise Rubbish("taskless")
    return job_id, task


class QoS(virtual.QoS):
    """kombu's, and hints that are handed over without a message count."""

    def can_consume(self) -> bool:
        """Whether another may be read."""
        return bool(super().can_consume()) and (self.channel.hand is None or self.channel.room() > 0)


class Channel(kombus.Channel):
    """A channel to Redis or Valkey."""

    ack_emulation = False  # a message that was taken is gone
    do_restore = False  # at the worker's end too
    _came = -inf  # when the last hints did, on the monotonic clock
    heard_by: int | None = None  # how many listened to the last broadcast
    hand: ClassVar["staticmethod[[UUID, str, str], bool] | None"] = (
        None  # takes a hint without a message made of it, if it can
    )
    room: ClassVar["staticmethod[[], int]"] = staticmethod(lambda: 0)  # how many more hints the worker has slots for

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.QoS = QoS  # type: ignore[assignment]  # kombu takes its plainest without acknowledgements

    def _brpop_read(self, **options: Any) -> bool:
        """Deliver what the pending BRPOP brought. Raises Empty if it brought nothing."""
        try:
            popped = self._popped(**options)
        finally:
            self._in_poll = False
            self._flush_brpop_reauth()
        if not popped:
            raise Empty
        queue = bytes_to_str(popped[0]).rsplit(self.sep, 1)[0]
        self._queue_cycle.rotate(queue)
        self._deliver(popped[1], queue)
        for raw in self._more(popped[0]):
            self._deliver(raw, queue)
        return True

    def _more(self, key: bytes) -> Sequence[bytes]:
        """What else waits there, as far as the worker has slots for it: in one more round trip, not in one each.

        A hint that comes alone does not wait for the answer that there is no other.
        """
        before, self._came = self._came, clock.monotonic()
        if self._came - before > BURST:
            return ()
        with suppress(ResponseError):  # someone made the list something else
            if (more := self.room()) > 0:
                return self.client.rpop(key, more) or ()
        return ()

    def _popped(self, **options: Any) -> Any:
        try:
            return self.client.parse_response(self.client.connection, "BRPOP", **options)
        except self.connection_errors:
            self.client.connection.disconnect()
            raise

    def _deliver(self, raw: bytes, queue: str) -> None:
        if queue not in settings().queues:  # an answer to remote control
            with self._unharmed(queue):
                self.connection._deliver(loads(bytes_to_str(raw)), queue)  # noqa: SLF001 - as kombu's own channels do
            return
        try:
            job_id, task = read(raw)
        except Rubbish as why:
            _drop(queue, str(why), bytes=len(raw))
            return
        if self.hand is None or not self.hand(job_id, task, queue):
            message = _message(str(job_id), task, queue, self._next_delivery_tag())
            self.connection._deliver(message, queue)  # noqa: SLF001

    def _put_fanout(self, exchange: str, message: Any, routing_key: str, **options: Any) -> None:
        """kombu's, which does not keep the broker's answer."""
        if options.get("_publish_batch") is not None:
            super()._put_fanout(exchange, message, routing_key, **options)
            return
        text, topics = dumps(message), self._get_publish_topics(exchange, routing_key)
        with self.conn_or_acquire() as client:
            self.heard_by = sum(client.publish(topic, text) for topic in topics)

    def _receive_one(self, client: Any) -> Any:
        """A broadcast: remote control, or what other workers tell."""
        with self._unharmed("broadcast"):
            return super()._receive_one(client)

    @staticmethod
    @contextmanager
    def _unharmed(queue: str) -> Iterator[None]:
        """Whatever is wrong with a message that is nobody's job, the worker goes on."""
        try:
            yield
        except (RedisError, OSError):  # not kombu's list of connection errors: it has KeyError
            raise
        except Exception as error:  # noqa: BLE001 - Celery's handlers raise whatever they stumble upon
            _drop(queue, "unhandled", error=type(error).__name__)

    # A full Redis refuses to note who listens where. Only answers to remote control go by that note, so the worker goes on.

    def _queue_bind(self, *args: Any) -> None:
        with suppress(ResponseError):
            super()._queue_bind(*args)

    def maybe_refresh_binding_expiry(self) -> None:
        """kombu's, every second."""
        with suppress(ResponseError):
            super().maybe_refresh_binding_expiry()


class SentinelChannel(Channel, kombus.SentinelChannel):
    """A channel to the master that the sentinels name."""


class Transport(kombus.Transport):
    """The transport of redis:// and rediss://."""

    Channel = Channel


class SentinelTransport(kombus.SentinelTransport):
    """The transport of sentinel://."""

    Channel = SentinelChannel


def _message(job_id: str, task: str, queue: str, tag: str) -> dict[str, Any]:
    """A Celery task message (protocol 2) with no arguments, as kombu's virtual transports hold it."""
    return {
        "body": _NO_ARGUMENTS,
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"lang": "py", "id": job_id, "root_id": job_id, "task": task, "ignore_result": True},
        "properties": {
            "correlation_id": job_id,
            "delivery_tag": tag,
            "delivery_info": {"exchange": "", "routing_key": queue},
        },
    }


def _drop(queue: str, why: str, **more: object) -> None:
    metrics.rubbish.labels(why).inc()
    log.warning("a message that is no hint of ours was dropped", queue=queue, why=why, **more)


def install() -> None:
    """Have kombu use these for its own schemes."""
    here = {"redis": "Transport", "rediss": "Transport", "sentinel": "SentinelTransport"}
    TRANSPORT_ALIASES.update({scheme: f"{__name__}:{name}" for scheme, name in here.items()})
