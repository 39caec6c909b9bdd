"""Hosts of their own in one process's hands, and a network between them that can be cut: on Linux, without being root.

Each host is a network namespace; a router, the owner of them all, joins them. Where packets of one host to another shall
vanish, the router gets a rule that sends them nowhere: they are dropped, not refused, as by a dead switch.
It takes user namespaces, which some systems forbid to ordinary users, and the programs ip, unshare and nsenter.
"""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.servers import Postgres, Server, StartFailed, Valkey

Way = tuple["Host", "Host"]
"""From one host to another."""

# Opens a listener where it runs, and hands it over through the socket that is its standard input.
_LISTEN = """
import socket, sys
listener = socket.create_server((sys.argv[1], 0), backlog=512)
socket.send_fds(socket.socket(fileno=0), [b"."], [listener.fileno()])
"""


class _Namespace(Server):
    """A network namespace, kept by a process that sleeps in it."""

    name = "namespace"

    def __init__(self, entrance: Sequence[str]) -> None:
        super().__init__()
        self.entrance = entrance
        self.start()

    @property
    def way_in(self) -> list[str]:
        """The command that runs another one in here."""
        return [_program("nsenter"), "--target", str(self.pid), "--user", "--preserve-credentials", "--net"]

    def run(self, *command: str) -> None:
        """Run a command in here to its end."""
        done = subprocess.run([*self.way_in, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise StartFailed(f"{' '.join(command)}: {done.stderr.strip()}")

    def ip(self, command: str) -> None:
        """The program ip."""
        self.run(_program("ip"), *command.split())

    def _command(self) -> list[str]:
        return [_program("sleep"), "infinity"]

    def _answers(self) -> bool:
        return Path(f"/proc/{self.pid}/comm").read_text() == "sleep\n"


class Host:
    """A host of the network, at an address of its own."""

    def __init__(self, namespace: _Namespace, address: str) -> None:
        self.namespace, self.address = namespace, address


class Network:
    """A router, the hosts that it joins, and the cuts between them. It stands for the outside world too."""

    outside = "10.77.0.1"

    def __init__(self) -> None:
        self._router = _Namespace([_program("unshare"), "--user", "--map-root-user", "--net"])
        self._hosts: list[Host] = []
        self._numbers = count(1)
        try:
            self._router.ip("link set lo up")
            self._router.ip(f"address add {self.outside}/32 dev lo")
            self._router.run("/bin/sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        except BaseException:
            self.remove()
            raise

    def add_host(self) -> Host:
        """One more host, reached by all others."""
        number = next(self._numbers)
        here, there = f"10.77.{number}.1", f"10.77.{number}.2"
        namespace = _Namespace([*self._router.way_in, _program("unshare"), "--net"])
        self._hosts.append(Host(namespace, there))
        self._router.ip(f"link add port{number} type veth peer name eth0 netns {namespace.pid}")
        self._router.ip(f"address add {here}/30 dev port{number}")
        self._router.ip(f"link set port{number} up")
        namespace.ip("link set lo up")
        namespace.ip(f"address add {there}/30 dev eth0")
        namespace.ip("link set eth0 up")
        namespace.ip(f"route add default via {here}")
        return self._hosts[-1]

    @contextmanager
    def cut(self, *ways: Way) -> Iterator[None]:
        """Within, what the first of each pair sends to the second vanishes; see `between`."""
        rules = [f"from {source.address} to {target.address} blackhole" for source, target in ways]
        for rule in rules:
            self._router.ip(f"rule add {rule}")
        try:
            yield
        finally:
            for rule in rules:
                self._router.ip(f"rule del {rule}")

    def listen(self) -> socket.socket:
        """A listener in the outside world, which every host reaches."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            command = [*self._router.way_in, sys.executable, "-I", "-S", "-c", _LISTEN, self.outside]
            subprocess.run(command, stdin=theirs, check=True)
            _, (descriptor, *_), _, _ = socket.recv_fds(ours, 1, 1)
        return socket.socket(fileno=descriptor)

    def remove(self) -> None:
        """End it, and all that is only in it."""
        for host in self._hosts:
            host.namespace.remove()
        self._router.remove()


def between(one: Host, *others: Host) -> list[Way]:
    """Both ways between a host and others, for `Network.cut`."""
    return [way for other in others for way in ((one, other), (other, one))]


class RemoteValkey(Valkey):
    """A Valkey on a host. The test itself reaches it by a socket in the file system, whatever is cut."""

    def __init__(self, host: Host) -> None:
        self.host, self.entrance = host, host.namespace.way_in
        super().__init__("--bind", host.address, "--protected-mode", "no", "--unixsocket", "valkey.sock")

    @property
    def url(self) -> str:
        return f"redis://{self.host.address}:{self.port}/0"

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.folder / "valkey.sock")) == 0


class RemotePostgres(Postgres):
    """A PostgreSQL on a host, likewise."""

    def __init__(self, host: Host) -> None:
        # It refuses to run as root, which we are on the hosts; in a user namespace of its own it is nobody.
        self.host, self.entrance = host, [*host.namespace.way_in, _program("unshare"), "--user"]
        super().__init__()

    @property
    def reached_at(self) -> str:  # type: ignore[override]
        return str(self.folder)

    def url_of(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}&port={self.port}"

    def remote(self, url: str) -> str:
        """The address of a database, for the other hosts."""
        return f"postgresql://postgres@{self.host.address}:{self.port}/{url.partition('?')[0].rpartition('/')[2]}"

    def _account(self) -> None:
        return None

    def _make_data(self) -> None:
        super()._make_data()
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.77.0.0/16 trust\n")

    def _command(self) -> list[str]:
        listening = {"listen_addresses": self.host.address, "unix_socket_directories": self.folder}
        return [*super()._command(), *(part for name, value in listening.items() for part in ("-c", f"{name}={value}"))]


def _program(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        raise StartFailed(f"there is no program {name}")
    return found
