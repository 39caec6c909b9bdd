"""taskiq on a Redis stream, with acknowledgement, and its results in Redis. A killed worker's job runs again."""

# /// script
# dependencies = ["taskiq", "taskiq-redis", "hiredis", "uvloop", "orjson"]
# ///

import asyncio
import os

import redis
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from bench import work
from bench.marks import mark

DOES = {"bulk", "noop", "io"}
GATHERED = 100  # jobs sent at once: it has no call for many
_URL = os.environ["BENCH_BROKER"]
kept = RedisAsyncResultBackend[bool](_URL, result_ex_time=3600, prefix_str="result")
broker = RedisStreamBroker(_URL, consumer_id="0").with_result_backend(kept)  # 0: also what was sent before workers came


@broker.task(task_name="noop")
async def noop(at: float, marks: str, text: str) -> bool:
    """Do nothing."""
    mark(marks, at)
    return True


@broker.task(task_name="io")
async def io(at: float, marks: str, text: str) -> bool:
    """Wait."""
    await asyncio.sleep(work.CALL)
    mark(marks, at)
    return True


def workers(kind: str, slots: int) -> list[list[str]]:
    """One command for both."""
    at_once = ["--max-async-tasks", str(slots), "--max-prefetch", str(slots)]
    processes = ["--workers", str(work.PROCESSES)]
    return [["taskiq", "worker", "bench.peers.taskiq:broker", *processes, *at_once, "--log-level", "WARNING"]]


async def send(kind: str, marks: str, count: int) -> None:
    """Send some at once."""
    await broker.startup()
    task = {"noop": noop, "io": io}[kind]
    for start in range(0, count, GATHERED):
        await asyncio.gather(*(task.kiq(0.0, marks, work.TEXT) for _ in range(min(GATHERED, count - start))))


def stored() -> int:
    """Results in Redis."""
    with redis.Redis.from_url(_URL) as client:
        return len(set(client.scan_iter("result:*", count=1000)))
