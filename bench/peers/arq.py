"""arq: jobs and results in Redis, results for an hour. A killed worker's job runs again."""

# /// script
# dependencies = ["arq", "hiredis", "uvloop", "fastapi", "uvicorn", "httptools"]
# ///

import asyncio
import os

import redis
import uvloop
from arq import create_pool
from arq.connections import RedisSettings

from bench import work
from bench.marks import mark

DOES = {"enqueue", "bulk", "noop", "io", "latency", "mixed"}
SLOW = 2
GATHERED = 100  # jobs sent at once: it has no call for many
_URL = os.environ["BENCH_BROKER"]
REDIS = RedisSettings.from_dsn(_URL)
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


async def noop(context: object, at: float, marks: str, text: str) -> bool:
    """Do nothing."""
    mark(marks, at)
    return True


async def io(context: object, at: float, marks: str, text: str) -> bool:
    """Wait."""
    await asyncio.sleep(work.CALL)
    mark(marks, at)
    return True


class WorkerSettings:
    """Looks for jobs every 10 ms: at its usual 500 ms it drains half as many, and a job waits 170 ms to start."""

    functions = (noop, io)
    redis_settings = REDIS
    max_jobs = int(os.environ.get("BENCH_SLOTS", "10"))
    poll_delay = 0.01


QUIET = {"version": 1, "disable_existing_loggers": False}


def workers(kind: str, slots: int) -> list[list[str]]:
    """Two of its one kind."""
    return [["arq", "bench.peers.arq.WorkerSettings", "--custom-log-dict", "bench.peers.arq.QUIET"]] * work.PROCESSES


async def send(kind: str, marks: str, count: int) -> None:
    """Send some at once."""
    pool = await create_pool(REDIS)
    for start in range(0, count, GATHERED):
        some = range(min(GATHERED, count - start))
        await asyncio.gather(*(pool.enqueue_job(kind, 0.0, marks, work.TEXT) for _ in some))


def stored() -> int:
    """Results in Redis."""
    with redis.Redis.from_url(_URL) as client:
        return len(set(client.scan_iter("arq:result:*", count=1000)))


def door(port: int) -> tuple[list[str], str]:
    """FastAPI."""
    return ["uvicorn", "bench.peers.doors.arq:web", "--port", str(port), "--no-access-log"], "/jobs"
