"""Treadle's side."""

from pathlib import Path

import sqlalchemy as sa

from bench.client import post
from bench.sides import THREADS, Side
from jobs.model import Job
from jobs.states import State
from tests.laboratory import Lab
from tests.servers import Valkey, wait_until


class Treadle(Side):
    """Ours, with its own defaults. Two doors: the one for the enqueue rates sends every job's hint at once."""

    name = "treadle"

    def __init__(self, broker: Valkey, marks: Path, folder: Path, ledgers: tuple[str, str]) -> None:
        super().__init__(broker, marks)
        given = {"task_modules": "bench.job", "lease": "15s", "heartbeat": "3s", "drain_grace": "20s"}
        self.lab = Lab(ledgers[0], broker, folder, **given)
        self.rated = Lab(ledgers[1], broker, folder, **given, hint_window="1000000")
        self.lab.api.start()
        self.rated.api.start()
        self.lab.add_worker(slots=THREADS)
        self.lab.add_scheduler()
        self.running = [*self.lab.workers, *self.lab.schedulers]
        wait_until(lambda: self.lab.client.get("/readyz").json()["workers"] > 0, 30, "the worker to join")
        self.stop_working()
        self.door, self.rated_door = self.lab.port, self.rated.port
        self.api = self.rated.api
        self.parts = [self.lab.api, *self.running]

    def request(self, at: float = 0.0, *, rated: bool = False) -> bytes:
        """A job, as bytes for a door."""
        key = self.rated.key if rated else self.lab.key
        return post("/v1/jobs", {"task": "bench.noop", "payload": self.body(at)}, key)

    def wipe(self) -> None:
        super().wipe()
        for lab in (self.lab, self.rated):
            with lab.engine.begin() as connection:
                connection.execute(sa.delete(Job))

    def check(self, count: int) -> None:
        """Every job's outcome is committed."""
        states = self.lab.wait_settled(30)
        assert states == {State.SUCCEEDED: count}, states

    def close(self) -> None:
        """End all."""
        self.lab.close()
        self.rated.close()
