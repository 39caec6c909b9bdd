"""rq, whose call for many jobs is the fastest; its workers fork for each job, so nothing else of it is measured."""

# /// script
# dependencies = ["rq", "hiredis"]
# ///

import os

import redis
import rq

from bench import work

DOES = {"bulk"}
MANY = 1_000  # jobs sent by one call
queue = rq.Queue(connection=redis.Redis.from_url(os.environ["BENCH_BROKER"]))


def noop(at: float, marks: str, text: str) -> None:
    """Do nothing."""
    work.noop(at, marks)


def send(kind: str, marks: str, count: int) -> None:
    """Send many by one call."""
    for start in range(0, count, MANY):
        some = range(min(MANY, count - start))
        queue.enqueue_many([rq.Queue.prepare_data("bench.peers.rq.noop", args=(0.0, marks, work.TEXT)) for _ in some])
