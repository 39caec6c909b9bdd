"""Choosing ports on this machine's own address."""

import socket
from contextlib import closing

from cli.complaint import Complaint

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: the last run's echoes do not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


class Ports:
    """Hands out ports, none of them twice."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def asked(self, port: int, option: str) -> int:
        """The port that the user asked for.

        Raises:
            Complaint: it is taken.
        """
        if port in self._given or not is_free(port):
            raise Complaint(f"Port {port} is taken. Give another with {option}, or leave it out.")
        self._given.add(port)
        return port

    def near(self, port: int) -> int:
        """This port or the next free one above it."""
        for candidate in range(port, min(port + 200, 65536)):
            if candidate not in self._given and is_free(candidate):
                self._given.add(candidate)
                return candidate
        raise Complaint(f"No port is free from {port} to {port + 199}.")

    def any(self, last: int | None = None) -> int:
        """The same as last time if it is free, else whatever the system gives."""
        if last and last not in self._given and is_free(last):
            self._given.add(last)
            return last
        while True:
            with closing(socket.socket()) as probe:
                probe.bind((HOST, 0))
                port = int(probe.getsockname()[1])
            if port not in self._given:
                self._given.add(port)
                return port
