"""dramatiq with its results in Redis. A killed worker's job runs again."""

# /// script
# dependencies = ["dramatiq[redis]", "hiredis"]
# ///

import os
from typing import Any

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from bench import work

DOES = {"bulk", "noop", "io"}
_URL = f"{os.environ['BENCH_BROKER']}?max_connections=1000"  # redis-py allows 100, and each thread may need one
broker: Any = RedisBroker(url=_URL)  # type: ignore[no-untyped-call,unused-ignore]
results: Any = Results(backend=RedisBackend(url=_URL), store_results=True)  # type: ignore[no-untyped-call,unused-ignore]
broker.add_middleware(results)
dramatiq.set_broker(broker)


@dramatiq.actor  # type: ignore[untyped-decorator,unused-ignore]
def noop(at: float, marks: str, text: str) -> bool:
    """Do nothing."""
    work.noop(at, marks)
    return True  # None would not be stored


@dramatiq.actor  # type: ignore[untyped-decorator,unused-ignore]
def io(at: float, marks: str, text: str) -> bool:
    """Wait."""
    work.io(at, marks)
    return True


def workers(kind: str, slots: int) -> list[list[str]]:
    """One command for both; eight threads in each are its default, and faster for short jobs than more."""
    threads = str(slots if kind == "io" else 8)
    return [["dramatiq", "bench.peers.dramatiq", "--processes", str(work.PROCESSES), "--threads", threads]]


def send(kind: str, marks: str, count: int) -> None:
    """Send one after the other: it has no call for many."""
    actor = {"noop": noop, "io": io}[kind]
    for _ in range(count):
        actor.send(0.0, marks, work.TEXT)


def stored() -> int:
    """Results in Redis: each a key of no telling name."""
    with redis.Redis.from_url(_URL) as client:
        return int(client.dbsize())
