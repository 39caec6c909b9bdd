"""The other side, in a test's hands: names and addresses, a trap, and servers that misbehave as told."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpcore2
import pytest

Handle = Callable[[socket.socket], None]


@dataclass
class Trap:
    """A listening socket that no one should connect to."""

    listener: socket.socket

    @property
    def port(self) -> int:
        return self.listener.getsockname()[1]

    def connections(self) -> int:
        """How many have connected."""
        count = 0
        self.listener.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self.listener.accept()[0].close()
                count += 1
        return count


@dataclass
class Internet:
    """Names and public addresses of our own making: each dialled address leads to the port it has here."""

    names: dict[str, list[list[str]]] = field(default_factory=dict)  # per query; the last repeats
    ports: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    dialled: list[tuple[str, int]] = field(default_factory=list)

    def look_up(self, host: str, port: int, seconds: float) -> list[str]:
        self.asked.append(host)
        answers = self.names.get(host, [[host]])
        return answers[min(self.asked.count(host), len(answers)) - 1]

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: object) -> httpcore2.NetworkStream:
        self.dialled.append((host, port))
        return httpcore2.SyncBackend().connect_tcp("127.0.0.1", self.ports[host], timeout)


@contextmanager
def serving() -> Iterator[Callable[[Handle], int]]:
    """Gives serve(handle): every connection to the port it returns is given to handle(socket), in a thread, and closed."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def run(listener: socket.socket, handle: Handle) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(20)
                handle(connection)

    def serve(handle: Handle) -> int:
        listeners.append(socket.create_server(("127.0.0.1", 0)))
        threads.append(threading.Thread(target=run, args=(listeners[-1], handle), daemon=True))
        threads[-1].start()
        return int(listeners[-1].getsockname()[1])

    try:
        yield serve
    finally:
        for listener in listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for thread in threads:
            thread.join(10)


def read_request(connection: socket.socket) -> bytes:
    """The head of an HTTP request, and what of its body came along."""
    read = b""
    while b"\r\n\r\n" not in read:
        more = connection.recv(65_536)
        if not more:
            break
        read += more
    return read


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS for a host's name or address, and the file of the self-signed certificate that a client must trust."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    asked = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    kind = "IP" if name[0].isdigit() else "DNS"
    named = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={kind}:{name}"]
    subprocess.run(
        [openssl, *asked, *named, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, timeout=30
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
