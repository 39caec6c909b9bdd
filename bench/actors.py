"""The same jobs as dramatiq's actors, with its results kept in Redis; and as functions for rq."""

import os
import time
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from bench.job import CALL
from bench.marks import mark

_URL = os.environ["BENCH_BROKER"]
broker: Any = RedisBroker(url=_URL)  # type: ignore[no-untyped-call,unused-ignore]
results: Any = Results(backend=RedisBackend(url=_URL), store_results=True)  # type: ignore[no-untyped-call,unused-ignore]
broker.add_middleware(results)
dramatiq.set_broker(broker)


@dramatiq.actor  # type: ignore[untyped-decorator,unused-ignore]
def noop(at: float, marks: str, text: str) -> bool:
    """Say that it began."""
    mark(marks, at)
    return True  # None would not be stored


@dramatiq.actor  # type: ignore[untyped-decorator,unused-ignore]
def io(at: float, marks: str, text: str) -> bool:
    """Wait as for an answer from outside, and say that it did."""
    time.sleep(CALL)
    mark(marks, at)
    return True
