"""Other brokers than the Valkey of the wheel, in the manner of tests.servers."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import amqp
from amqp.exceptions import NotFound

from tests.servers import Server, StartFailed, free_port


class RabbitMQ(Server):
    """The RabbitMQ that the machine has installed, as a node of its own that keeps its queues but no hint."""

    name = "rabbitmq"

    def __init__(self) -> None:
        home = shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin:" + os.environ.get("PATH", ""))
        if home is None:
            raise StartFailed("no rabbitmq-server is installed")
        super().__init__()
        self.script = str(Path(home).resolve())
        self.registry = _Registry()
        self.distribution = free_port()
        (self.folder / "plugins").write_text("[].")
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = true\nlog.console.level = warning\nlog.file = false\n"
        )
        self.start()

    @property
    def url(self) -> str:
        """Its address, for Celery."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def depth(self, queue: str) -> int:
        """How many messages wait in a queue."""
        with self._channel() as channel, suppress(NotFound):
            return int(channel.queue_declare(queue, passive=True).message_count)
        return 0

    def forget(self, *queues: str) -> None:
        """Drop the queues and what is in them."""
        for queue in queues:
            with self._channel() as channel:
                channel.queue_delete(queue)

    @contextmanager
    def _channel(self) -> Iterator[amqp.Channel]:
        with amqp.Connection(f"127.0.0.1:{self.port}") as connection, connection.channel() as channel:
            yield channel

    def remove(self) -> None:
        super().remove()
        self.registry.remove()

    def _command(self) -> list[str]:
        return [self.script]

    def _environment(self) -> dict[str, str]:
        named = {
            "MNESIA_BASE": self.folder,
            "LOG_BASE": self.folder,
            "CONFIG_FILE": self.folder / "rabbitmq.conf",
            "ENABLED_PLUGINS_FILE": self.folder / "plugins",
            "CONF_ENV_FILE": self.folder / "none",
            "NODENAME": f"treadle{self.port}@localhost",
            "DIST_PORT": self.distribution,
            "SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none",  # an idle scheduler thread sleeps instead of spinning
        }
        ours = {f"RABBITMQ_{name}": str(value) for name, value in named.items()}
        # `detached` has the script become the server, so that a signal to the process reaches it.
        return {**os.environ, **ours, **self.registry.variables, "HOME": str(self.folder), "detached": "1"}

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(connection.recv(8))
        except OSError:
            return False


class _Registry(Server):
    """Erlang's own daemon, in which a node writes down its port; without this one a node would leave one behind."""

    name = "epmd"

    def __init__(self) -> None:
        super().__init__()
        self.variables = {"ERL_EPMD_PORT": str(self.port), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        self.start()

    def _command(self) -> list[str]:
        found = shutil.which("epmd")
        if found is None:
            raise StartFailed("no epmd is installed")
        return [found]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.variables}

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
