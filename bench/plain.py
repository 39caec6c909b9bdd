"""Plain Celery's side."""

import os
from pathlib import Path

import httpx2
import redis

from bench.client import post
from bench.sides import THREADS, Side
from tests.laboratory import ROOT, Part
from tests.servers import Valkey, free_port, wait_until


class PlainCelery(Side):
    """Celery with its defaults and its Redis result backend."""

    name = "celery"

    def __init__(self, broker: Valkey, marks: Path, folder: Path) -> None:
        super().__init__(broker, marks)
        self.door = self.rated_door = free_port()
        url = self.broker_url
        environment = {**os.environ, "CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": url, "PYTHONPATH": str(ROOT)}
        served = ["uvicorn", "bench.peer_door:door", "--port", str(self.door), "--no-access-log"]
        celery = ["celery", "-A", "bench.peer"]
        worker = [*celery, "worker", "--pool", "threads", "--concurrency", str(THREADS)]
        self.api = Part("celery-api", served, environment, self._answers)
        self.running = [
            Part("celery-worker", worker, environment),
            Part("celery-beat", [*celery, "beat", "--schedule", str(folder / "beat")], environment),
        ]
        self.parts = [self.api, *self.running]
        self.api.start()

    @property
    def broker_url(self) -> str:
        return self.broker.url.removesuffix("0") + "1"

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"http://127.0.0.1:{self.door}/readyz", timeout=1, trust_env=False).status_code == 200
        except httpx2.HTTPError:
            return False

    def request(self, at: float = 0.0, *, rated: bool = False) -> bytes:
        """A job, as bytes for the door."""
        return post("/jobs", self.body(at))

    def check(self, count: int) -> None:
        """Every job's result is stored."""
        with redis.Redis.from_url(self.broker_url) as client:
            wait_until(lambda: len(set(client.scan_iter("celery-task-meta-*", count=1000))) == count, 30, "all results")

    def close(self) -> None:
        """End all."""
        for part in self.parts:
            part.remove()
