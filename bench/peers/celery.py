"""Plain Celery with its Redis result backend. BENCH_VARIANT changes the usual: acks_late, or threads for no-op jobs."""

import os

import redis
from celery import Celery

from bench import work

VARIANT = os.environ.get("BENCH_VARIANT", "")
DOES = {"noop"} if VARIANT else {"enqueue", "bulk", "noop", "io", "latency", "mixed", "idle"}
SLOW = 1
_URL = os.environ["BENCH_BROKER"]

app = Celery("bench", broker=_URL, backend=_URL)
app.conf.task_acks_late = VARIANT == "acks_late"


@app.task(name="bench.noop")  # type: ignore[untyped-decorator]
def noop(at: float, marks: str, text: str) -> None:
    """Do nothing."""
    work.noop(at, marks)


@app.task(name="bench.io")  # type: ignore[untyped-decorator]
def io(at: float, marks: str, text: str) -> None:
    """Wait."""
    work.io(at, marks)


def send(kind: str, marks: str, count: int) -> None:
    """Send them as everybody does."""
    task = app.tasks[f"bench.{kind}"]
    for _ in range(count):
        task.delay(0.0, marks, work.TEXT)


def workers(kind: str, slots: int) -> list[list[str]]:
    """Prefork is its default, and threads are what it advises for jobs that wait."""
    celery = ["celery", "-A", "bench.peers.celery", "worker"]
    if kind == "noop" and VARIANT != "threads":
        return [[*celery, "--pool", "prefork", "--concurrency", str(work.PROCESSES)]]
    threads = ["--pool", "threads", "--concurrency", str(slots if kind == "io" else 4)]
    return [[*celery, "--hostname", f"w{number}@%h", *threads] for number in range(work.PROCESSES)]


SCHEDULER = ["celery", "-A", "bench.peers.celery", "beat", "--schedule", "beat"]


def stored() -> int:
    """Results in Redis."""
    with redis.Redis.from_url(_URL) as client:
        return len(set(client.scan_iter("celery-task-meta-*", count=1000)))


def door(port: int) -> tuple[list[str], str]:
    """FastAPI, as most write it."""
    return ["uvicorn", "bench.peers.doors.celery:web", "--port", str(port), "--no-access-log"], "/jobs"
