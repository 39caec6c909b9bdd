"""Treadle's side."""

import json
from pathlib import Path

import sqlalchemy as sa

from bench.client import post
from bench.sides import IN_FLIGHT, PROCESSES, Kind, Side
from jobs.model import Job
from jobs.states import State
from tests.laboratory import Lab, Part
from tests.servers import Valkey

CHUNK = 5_000  # jobs in one call
SLOTS = 64  # jobs at once in one worker, of those that do nothing


class Treadle(Side):
    """Ours, with its own defaults but for the jobs at once. Its hints wait for workers, so `enqueue` sends one for each."""

    name = "treadle"

    def __init__(self, broker: Valkey, marks: Path, folder: Path, ledger: str) -> None:
        super().__init__(broker, marks)
        given = {"task_modules": "bench.job", "lease": "15s", "heartbeat": "3s", "drain_grace": "20s"}
        self.lab = Lab(ledger, broker, folder, **given)
        self.lab.api.start()
        self.door, self.api = self.lab.port, self.lab.api

    def request(self, at: float = 0.0) -> bytes:
        """A job, as bytes for the door."""
        return post("/v1/jobs", {"task": "bench.noop", "payload": self.body(at)}, self.lab.key)

    def send(self, kind: Kind, count: int, **more: str) -> None:
        line = json.dumps({"task": f"bench.{kind}", "payload": self.body(), **more}) + "\n"
        for start in range(0, count, CHUNK):
            answer = self.lab.client.post(
                "/v1/jobs/bulk",
                content=line * min(CHUNK, count - start),
                headers={"Content-Type": "application/x-ndjson"},
                timeout=60,
            )
            assert answer.status_code == 202, answer.text

    def workers(self, kind: Kind) -> list[Part]:
        slots = IN_FLIGHT // PROCESSES if kind == "io" else SLOTS
        names = [f"worker{number}" for number in range(PROCESSES)]
        commands = [["workers", "--concurrency", str(slots), "--name", name] for name in names]
        workers = [Part(name, command, self.lab.environment) for name, command in zip(names, commands, strict=True)]
        return [*workers, Part("scheduler", ["scheduler"], self.lab.environment)]

    def rest(self) -> None:
        """One worker, as `treadle up` starts it; plain Celery's one has two processes by default."""
        for worker in self.running[1:-1]:
            worker.stop()
            worker.remove()
        self.running = [self.running[0], self.running[-1]]

    def wipe(self) -> None:
        super().wipe()
        with self.lab.engine.begin() as connection:
            connection.execute(sa.delete(Job))

    def check(self, count: int) -> None:
        """Every job's outcome is committed."""
        states = self.lab.wait_settled(30)
        assert states == {State.SUCCEEDED: count}, states

    def close(self) -> None:
        """End all."""
        self.stop_working()
        self.lab.close()
