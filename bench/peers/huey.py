"""huey: the queue and the results in Redis. What a killed worker had taken is lost."""

# /// script
# dependencies = ["huey", "gevent", "redis", "hiredis"]
# ///

import os

from huey import RedisHuey

from bench import work

DOES = {"bulk", "noop", "io"}
_URL = f"{os.environ['BENCH_BROKER']}?max_connections=1000"  # redis-py allows 100, and each thread may need one
huey = RedisHuey("bench", url=_URL)


@huey.task()  # type: ignore[untyped-decorator,unused-ignore]
def noop(at: float, marks: str, text: str) -> bool:
    """Do nothing."""
    work.noop(at, marks)
    return True  # None would not be stored


@huey.task()  # type: ignore[untyped-decorator,unused-ignore]
def io(at: float, marks: str, text: str) -> bool:
    """Wait."""
    work.io(at, marks)
    return True


def workers(kind: str, slots: int) -> list[list[str]]:
    """Processes for what computes, threads for what waits, and greenlets, 1.6 times as fast, where many do."""
    consumer = ["huey.bin.huey_consumer", "bench.peers.huey.huey", "--quiet"]
    if kind == "noop":
        return [[*consumer, "--worker-type", "process", "--workers", str(work.PROCESSES)]]
    if slots > 100:
        consumer = ["gevent.monkey", "--module", *consumer, "--worker-type", "greenlet"]
    else:
        consumer = [*consumer, "--worker-type", "thread"]
    return [[*consumer, "--workers", str(slots)]] * work.PROCESSES


def send(kind: str, marks: str, count: int) -> None:
    """Send one after the other: it has no call for many."""
    task = {"noop": noop, "io": io}[kind]
    for _ in range(count):
        task(0.0, marks, work.TEXT)


def stored() -> int:
    """Results in Redis."""
    return int(huey.result_count())
