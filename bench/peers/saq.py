"""SAQ: jobs, their states and results in Redis, for ten minutes. A killed worker's job runs again."""

# /// script
# dependencies = ["saq[redis]", "hiredis", "uvloop", "typing-extensions"]
# ///

import asyncio
import os

import redis
import uvloop
from saq import Queue

from bench import work
from bench.marks import mark

DOES = {"bulk", "noop", "io"}
GATHERED = 100  # jobs sent at once: it has no call for many
_URL = os.environ["BENCH_BROKER"]
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
queue = Queue.from_url(_URL, name="bench")


async def noop(context: object, *, at: float, marks: str, text: str) -> bool:
    """Do nothing."""
    mark(marks, at)
    return True


async def io(context: object, *, at: float, marks: str, text: str) -> bool:
    """Wait."""
    await asyncio.sleep(work.CALL)
    mark(marks, at)
    return True


settings = {"queue": queue, "functions": [noop, io], "concurrency": int(os.environ.get("BENCH_SLOTS", "10"))}


def workers(kind: str, slots: int) -> list[list[str]]:
    """Two of its one kind."""
    return [["saq", "bench.peers.saq.settings", "--quiet"]] * work.PROCESSES


async def send(kind: str, marks: str, count: int) -> None:
    """Send some at once."""
    await queue.connect()
    for start in range(0, count, GATHERED):
        some = range(min(GATHERED, count - start))
        await asyncio.gather(*(queue.enqueue(kind, at=0.0, marks=marks, text=work.TEXT) for _ in some))


def stored() -> int:
    """Jobs in Redis that are complete."""
    with redis.Redis.from_url(_URL) as client:
        every = len(set(client.scan_iter("saq:job:bench:*", count=1000)))
        return every - int(client.zcard("saq:bench:incomplete"))
