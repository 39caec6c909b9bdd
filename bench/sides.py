"""Those that are compared: each a way in, workers, and what else it needs, on one Valkey."""

from pathlib import Path
from typing import Any, Literal

import redis

from tests.laboratory import Part
from tests.servers import Valkey

PROCESSES = 2  # of workers, as the machine has cores
IN_FLIGHT = 100  # jobs at once, of those that wait

Kind = Literal["noop", "io"]


class Side:
    """One of them."""

    name = "side"
    door: int | None = None  # the API's port, if it has one
    api: Part  # the process behind it
    drains = True  # whether its workers are measured

    def __init__(self, broker: Valkey, marks: Path) -> None:
        self.broker, self.marks = broker, marks
        self.running: list[Part] = []  # workers, and a scheduler

    def request(self, at: float = 0.0) -> bytes:
        """A job, as bytes for its door."""
        raise NotImplementedError

    def send(self, kind: Kind, count: int) -> None:
        """Send so many jobs by the fastest call that it has."""
        raise NotImplementedError

    def workers(self, kind: Kind) -> list[Part]:
        """The parts that run jobs of a kind as this side is meant to, not started."""
        raise NotImplementedError

    def check(self, count: int) -> None:
        """Wait until every job's outcome is stored."""
        raise NotImplementedError

    def close(self) -> None:
        """End all."""
        raise NotImplementedError

    def body(self, at: float = 0.0) -> dict[str, Any]:
        """What a job is given: some 200 bytes."""
        return {"at": at, "marks": str(self.marks), "text": "x" * 160}

    def start_working(self, kind: Kind) -> None:
        """Start what runs jobs of a kind."""
        self.running = self.workers(kind)
        for part in self.running:
            part.start()

    def stop_working(self) -> None:
        """Stop it."""
        for part in self.running:
            part.stop()  # its own way: what it started, it ends
            part.remove()
        self.running = []

    def rest(self) -> None:
        """Keep what is left running while there is nothing to do."""

    def wipe(self) -> None:
        """Forget all jobs; no worker runs. kombu's routing tables stay, its producers rely on them."""
        self.marks.write_bytes(b"")
        with redis.Redis.from_url(self.broker_url) as client:
            for key in client.scan_iter(count=1000):
                if not key.startswith(b"_kombu"):
                    client.unlink(key)

    @property
    def broker_url(self) -> str:
        """Its database of the Valkey."""
        return self.broker.url
