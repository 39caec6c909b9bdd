"""Those that are compared: each a way in, workers, and what else it needs, on one Valkey."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped,unused-ignore]
import redis

from bench.work import TEXT, Kind
from tests.laboratory import Part
from tests.servers import Valkey

GRACE = 20  # seconds that parts have to end by themselves


class Side:
    """One of them."""

    name = "side"
    does: frozenset[str] = frozenset()  # the works that it takes part in
    slow = 1  # by what its share of the jobs is divided
    port: int  # of its door, if it has one
    api: Part  # the process behind it

    def __init__(self, broker: Valkey, database: int, marks: Path) -> None:
        self.broker_url = f"{broker.url.removesuffix('/0')}/{database}"
        self.marks = marks
        self.running: list[Part] = []  # workers, and a scheduler
        self.is_open = False

    def request(self, at: float = 0.0) -> bytes:
        """A job, as bytes for its door."""
        raise NotImplementedError

    def send(self, kind: Kind, count: int) -> float:
        """Send so many jobs by the fastest call that it has. Returns the seconds that it took."""
        raise NotImplementedError

    def workers(self, kind: Kind, slots: int) -> list[Part]:
        """The parts that run jobs of a kind, so many at once in each of two, as this side is meant to; not started."""
        raise NotImplementedError

    def check(self, count: int) -> None:
        """Wait until every job's outcome is stored."""
        raise NotImplementedError

    def body(self, at: float = 0.0) -> dict[str, Any]:
        """What a job is given: some 200 bytes."""
        return {"at": at, "marks": str(self.marks), "text": TEXT}

    def open(self) -> None:
        """Start its door, if it has one and it is shut."""
        if not self.is_open and hasattr(self, "api"):
            self.api.start()
        self.is_open = True

    def start_working(self, kind: Kind, slots: int) -> None:
        """Start what runs jobs of a kind."""
        self.running = self.workers(kind, slots)
        for part in self.running:
            part.start()

    def stop_working(self) -> None:
        """Stop it, and drop what it kept."""
        _end(self.running)
        for part in self.running:
            part.remove()
        self.running = []

    def shut(self) -> None:
        """Stop all of it."""
        self.stop_working()
        if self.is_open and hasattr(self, "api"):
            _end([self.api])
        self.is_open = False

    def close(self) -> None:
        """End it for good."""
        self.shut()
        if hasattr(self, "api"):
            self.api.remove()

    def wipe(self) -> None:
        """Forget all jobs; no worker runs. kombu's routing tables stay, its producers rely on them."""
        self.marks.write_bytes(b"")
        with redis.Redis.from_url(self.broker_url) as client:
            for key in client.scan_iter(count=1000):
                if not key.startswith(b"_kombu"):
                    client.unlink(key)

    def answers(self) -> bool:
        """Whether its door takes connections."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


def processes(parts: list[Part]) -> list[psutil.Process]:
    """The processes of running parts, and all that they started."""
    parents = [psutil.Process(part.pid) for part in parts]
    return [process for parent in parents for process in (parent, *parent.children(recursive=True))]


def _end(parts: list[Part]) -> None:
    """Stop parts their own way and together; what is left of them after a while, by force."""
    running = [part for part in parts if part.runs]
    family = processes(running)
    for part in running:
        os.kill(part.pid, part.gentle)
    _, left = psutil.wait_procs(family, timeout=GRACE)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    for part in parts:
        part.kill()  # nothing lives: it takes note
