"""The families of brokers: what each does in a way of its own. The rest of the house does not know which one it has."""

import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol
from uuid import UUID

from amqp.exceptions import NotFound
from celery import Celery
from kombu.connection import Connection
from kombu.entity import Queue

from runtime import messages, tcp
from runtime.settings import settings
from runtime.transport import Rubbish, read

PATIENCE = 5  # seconds in which a broker must answer; a frozen one fails the call, and the ledger keeps the job


class Family(Protocol):
    """What Celery must be told of a broker, and how to look into its queues."""

    late_acks: bool
    """Whether a hint is confirmed when its attempt has ended, instead of when it begins."""

    tls: dict[str, Any]
    """Celery's `broker_use_ssl` for an address that asks for TLS and says no more: the other side is verified."""

    def options(self) -> dict[str, Any]:
        """Celery's `broker_transport_options`."""

    def queue(self, name: str) -> Queue:
        """A queue as Celery declares it."""

    def priority(self, ours: int) -> int:
        """Our priority, 0 to 3, rising with importance, as the broker counts."""

    def send(self, app: Celery, connection: Connection, queue: str, priority: int, hints: Sequence[tuple[str, str]]) -> None:
        """Send hints, each a job's id and its task, in as few round trips as the broker allows."""

    def depth(self, connection: Connection, queue: str) -> int:
        """How many hints wait in a queue."""

    def present(self, connection: Connection, queue: str) -> set[UUID] | None:
        """The jobs whose hints wait in a queue; None where the broker only counts them."""

    def empty(self, connection: Connection, queue: str) -> None:
        """Throw away what waits in a queue."""


class Redis:
    """Redis, Valkey and their kin: a list for each priority of a queue."""

    late_acks = False  # a hint is popped when a slot is free, so none waits in a worker
    tls = {"ssl_cert_reqs": ssl.CERT_REQUIRED}  # noqa: RUF012 - kombu by itself would take any certificate
    steps = (9, 6, 3, 0)  # by our priority: Celery's Redis transport takes 0 first

    def options(self) -> dict[str, Any]:
        return {
            "socket_connect_timeout": tcp.CONNECT,
            "socket_timeout": PATIENCE,
            "socket_keepalive": True,
            "socket_keepalive_options": tcp.socket_options(),
            "health_check_interval": 10,
            "retry_on_timeout": False,  # a retry in the client doubles messages and holds the thread
            "queue_order_strategy": "priority",  # in the order of priority_steps, not round robin
            "priority_steps": sorted(self.steps),
        }

    def queue(self, name: str) -> Queue:
        return Queue(name, routing_key=name)

    def priority(self, ours: int) -> int:
        return self.steps[ours]

    def send(self, app: Celery, connection: Connection, queue: str, priority: int, hints: Sequence[tuple[str, str]]) -> None:
        made = [messages.ready(app, job_id, task, queue, priority) for job_id, task in hints]
        pool = self._client(connection).connection_pool
        line = pool.get_connection()  # past the client: its retries are not wanted, and what it does for them takes longest
        try:
            line.send_command("LPUSH", self.key(queue, priority), *made)
            line.read_response()
        finally:
            pool.release(line)

    def depth(self, connection: Connection, queue: str) -> int:
        client = self._client(connection)
        return sum(client.llen(key) for key in self.keys(queue))

    def present(self, connection: Connection, queue: str) -> set[UUID]:
        client = self._client(connection)
        return set(_jobs(raw for key in self.keys(queue) for raw in client.lrange(key, 0, -1)))

    def empty(self, connection: Connection, queue: str) -> None:
        self._client(connection).delete(*self.keys(queue))  # of whatever type someone made them

    @staticmethod
    def _client(connection: Connection) -> Any:
        channel: Any = connection.default_channel
        return channel.client

    def keys(self, queue: str) -> list[str]:
        """The lists of a queue, most important first, named as kombu's Redis transport names them."""
        return [self.key(queue, step) for step in sorted(self.steps)]

    @staticmethod
    def key(queue: str, step: int) -> str:
        """The list of one priority."""
        return queue if step == 0 else f"{queue}\x06\x16{step}"


class Sentinel(Redis):
    """The same, found by asking sentinels which server is the primary."""

    def options(self) -> dict[str, Any]:
        secret, options = settings().sentinel_password, super().options()
        asking = {name: value for name, value in options.items() if name.startswith("socket_")}
        asking |= {"password": secret.get_secret_value()} if secret else {}
        return options | {"master_name": settings().sentinel_primary, "sentinel_kwargs": asking}


class RabbitMQ:
    """RabbitMQ by AMQP 0-9-1: a classic queue with priorities. It counts what waits, and shows none of it."""

    late_acks = True  # a worker holds as many hints as it runs jobs; what it has no slot for stays for others
    tls = {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None}  # noqa: RUF012 - None: the name in the address
    highest = 3

    def options(self) -> dict[str, Any]:
        return {
            "confirm_publish": True,  # else what a closing connection swallows counts as sent
            "read_timeout": PATIENCE,
            "write_timeout": PATIENCE,
            "socket_settings": tcp.socket_options(),
        }

    def queue(self, name: str) -> Queue:
        return Queue(name, routing_key=name, max_priority=self.highest)

    def priority(self, ours: int) -> int:
        return ours

    def send(self, app: Celery, connection: Connection, queue: str, priority: int, hints: Sequence[tuple[str, str]]) -> None:
        producer = app.amqp.Producer(connection.default_channel, auto_declare=False)
        for job_id, task in hints:
            messages.send(app, producer, job_id, task, queue, priority=priority, confirm_timeout=PATIENCE)

    def depth(self, connection: Connection, queue: str) -> int:
        with connection.channel() as channel:  # of its own: the server closes it when it knows no such queue
            try:
                return int(channel.queue_declare(queue, passive=True).message_count)
            except NotFound:
                return 0

    def present(self, connection: Connection, queue: str) -> None:
        """It shows none: reading is taking."""

    def empty(self, connection: Connection, queue: str) -> None:
        with connection.channel() as channel:
            channel.queue_purge(queue)


_REDIS, _SENTINEL, _RABBITMQ = Redis(), Sentinel(), RabbitMQ()
_BY_SCHEME: dict[str, Family] = {
    "redis": _REDIS,
    "rediss": _REDIS,
    "sentinel": _SENTINEL,
    "amqp": _RABBITMQ,
    "amqps": _RABBITMQ,
}


def of(url: str) -> Family:
    """The family of the broker at an address."""
    return _BY_SCHEME[url.partition(":")[0]]


def _jobs(messages: Iterable[bytes]) -> Iterator[UUID]:
    for raw in messages:
        with suppress(Rubbish):
            yield read(raw)[0]
