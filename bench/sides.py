"""The two that are compared: each a door, a worker of 8 threads and a scheduler, on one Valkey."""

from pathlib import Path
from typing import Any

import redis

from tests.laboratory import Part
from tests.servers import Valkey

THREADS = 8


class Side:
    """One of the two."""

    name = "side"
    door: int  # the API's port
    rated_door: int  # the port of the API whose rates are taken
    api: Part  # the process behind `rated_door`
    parts: list[Part]  # API, worker, scheduler

    def __init__(self, broker: Valkey, marks: Path) -> None:
        self.broker, self.marks = broker, marks
        self.running: list[Part] = []  # worker, scheduler

    def request(self, at: float = 0.0, *, rated: bool = False) -> bytes:
        """A job, as bytes for a door."""
        raise NotImplementedError

    def check(self, count: int) -> None:
        """Wait until every job's outcome is stored."""
        raise NotImplementedError

    def close(self) -> None:
        """End all."""
        raise NotImplementedError

    def body(self, at: float = 0.0) -> dict[str, Any]:
        """What the job is given: some 200 bytes."""
        return {"at": at, "marks": str(self.marks), "text": "x" * 160}

    def start_working(self) -> None:
        """Start worker and scheduler."""
        for part in self.running:
            part.start()

    def stop_working(self) -> None:
        """Stop them."""
        for part in self.running:
            part.stop()

    def wipe(self) -> None:
        """Forget all jobs; the workers are not running. kombu's routing tables stay, its producers rely on them."""
        self.marks.write_bytes(b"")
        with redis.Redis.from_url(self.broker_url) as client:
            for key in client.scan_iter(count=1000):
                if not key.startswith(b"_kombu"):
                    client.unlink(key)

    @property
    def broker_url(self) -> str:
        """Its database of the Valkey."""
        return self.broker.url
