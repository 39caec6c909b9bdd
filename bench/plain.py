"""Plain Celery's side."""

import os
import sys
from pathlib import Path
from subprocess import run

import httpx2
import redis

from bench.client import post
from bench.sides import IN_FLIGHT, PROCESSES, Kind, Side
from tests.laboratory import ROOT, Part
from tests.servers import Valkey, free_port, wait_until

_SEND = """
import sys
from bench import peer
task, marks, count = getattr(peer, sys.argv[1]), sys.argv[2], int(sys.argv[3])
for _ in range(count):
    task.delay(0.0, marks, "x" * 160)
"""


class PlainCelery(Side):
    """Celery with its defaults and its Redis result backend: prefork, and threads for jobs that wait."""

    name = "celery"

    def __init__(self, broker: Valkey, marks: Path, folder: Path) -> None:
        super().__init__(broker, marks)
        url = self.broker_url
        self._variables = {**os.environ, "CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": url, "PYTHONPATH": str(ROOT)}
        self._folder, self.door = folder, free_port()
        served = ["uvicorn", "bench.peer_door:door", "--port", str(self.door), "--no-access-log"]
        self.api = Part("celery-api", served, self._variables, self._answers)
        self.api.start()

    @property
    def broker_url(self) -> str:
        return self.broker.url.removesuffix("0") + "1"

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"http://127.0.0.1:{self.door}/readyz", timeout=1, trust_env=False).status_code == 200
        except httpx2.HTTPError:
            return False

    def request(self, at: float = 0.0) -> bytes:
        """A job, as bytes for the door."""
        return post("/jobs", self.body(at))

    def send(self, kind: Kind, count: int) -> None:
        command = [sys.executable, "-c", _SEND, kind, str(self.marks), str(count)]
        run(command, env=self._variables, check=True)

    def workers(self, kind: Kind) -> list[Part]:
        celery = ["celery", "-A", "bench.peer"]
        threads = ["--pool", "threads", "--concurrency", str(IN_FLIGHT // PROCESSES)]
        pools = [threads] * PROCESSES if kind == "io" else [["--pool", "prefork", "--concurrency", str(PROCESSES)]]
        workers = [
            Part(f"celery{number}", [*celery, "worker", "--hostname", f"w{number}@%h", *pool], self._variables)
            for number, pool in enumerate(pools)
        ]
        beat = ["beat", "--schedule", str(self._folder / "beat")]
        return [*workers, Part("celery-beat", [*celery, *beat], self._variables)]

    def check(self, count: int) -> None:
        """Every job's result is stored."""
        with redis.Redis.from_url(self.broker_url) as client:
            wait_until(lambda: len(set(client.scan_iter("celery-task-meta-*", count=1000))) == count, 30, "all results")

    def close(self) -> None:
        """End all."""
        self.stop_working()
        self.api.remove()
