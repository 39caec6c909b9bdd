"""Treadle's side, on either ledger."""

import json
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.client import post
from bench.sides import Side
from bench.work import PROCESSES, Kind
from jobs.model import Job
from jobs.states import State
from tests.laboratory import Lab, Part
from tests.servers import Valkey

CHUNK = 5_000  # jobs in one call


class Treadle(Side):
    """Ours, with its own defaults but for the jobs at once. Its hints wait for workers, so `enqueue` sends one for each."""

    does = frozenset({"enqueue", "bulk", "noop", "io", "mixed", "latency", "due", "idle"})

    def __init__(self, name: str, ledger: str, broker: Valkey, database: int, marks: Path, folder: Path) -> None:
        super().__init__(broker, database, marks)
        folder.mkdir()
        self.name = name
        given = {"task_modules": "bench.job", "lease": "15s", "heartbeat": "3s", "drain_grace": "20s"}
        self.lab = Lab(ledger, broker, folder, broker_url=self.broker_url, **given)
        self.port, self.api = self.lab.port, self.lab.api

    def request(self, at: float = 0.0) -> bytes:
        """A job, as bytes for the door."""
        return post("/v1/jobs", {"task": "bench.noop", "payload": self.body(at)}, self.lab.key)

    def send(self, kind: Kind, count: int) -> float:
        lines = [self.line(kind)] * count
        began = time.perf_counter()
        self.post_lines(lines)
        return time.perf_counter() - began

    def line(self, kind: Kind, at: float = 0.0, **more: Any) -> str:
        """A job of a call for many."""
        return json.dumps({"task": f"bench.{kind}", "payload": self.body(at), **more}) + "\n"

    def post_lines(self, lines: list[str]) -> None:
        """Send many jobs. Those that are refused for now, as the database does not answer in time, are sent again."""
        headers = {"Content-Type": "application/x-ndjson"}
        while lines:
            some, lines = lines[:CHUNK], lines[CHUNK:]
            answer = self.lab.client.post("/v1/jobs/bulk", content="".join(some), headers=headers, timeout=60)
            assert answer.status_code in {202, 207, 503}, f"{answer.status_code}: {answer.text[:300]}"
            results = answer.json()["results"] if answer.status_code != 503 else [{"status": 503}] * len(some)
            assert {result["status"] for result in results} <= {202, 503}, answer.text[:300]
            lines += [line for line, result in zip(some, results, strict=True) if result["status"] == 503]

    def workers(self, kind: Kind, slots: int) -> list[Part]:
        names = [f"worker{number}" for number in range(PROCESSES)]
        commands = [["workers", "--concurrency", str(slots), "--name", name] for name in names]
        workers = [Part(name, command, self.lab.environment) for name, command in zip(names, commands, strict=True)]
        return [*workers, Part("scheduler", ["scheduler"], self.lab.environment)]

    def start_small(self, slots: int) -> None:
        """Start one worker, which is the scheduler as well."""
        command = ["workers", "--concurrency", str(slots), "--name", "worker0", "--beat"]
        self.running = [Part("worker0", command, self.lab.environment)]
        self.running[0].start()

    def wipe(self) -> None:
        super().wipe()
        is_postgres = self.lab.engine.dialect.name == "postgresql"
        with self.lab.engine.begin() as connection:  # deleted rows would wait for a vacuum in the middle of a measurement
            connection.execute(sa.text("TRUNCATE jobs CASCADE") if is_postgres else sa.delete(Job))

    def check(self, count: int) -> None:
        """Every job's outcome is committed."""
        states = self.lab.wait_settled(30)
        assert states == {State.SUCCEEDED: count}, states

    def close(self) -> None:
        """End all."""
        self.shut()
        self.lab.close()
