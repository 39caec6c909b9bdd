"""Other queues, where they are installed (`make bench-peers`): each was the fastest of the Python queues at something."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from subprocess import run

import redis

from bench.sides import IN_FLIGHT, PROCESSES, Kind, Side
from tests.laboratory import ROOT, Part
from tests.servers import Valkey, wait_until

_TO_DRAMATIQ = """
import sys
from bench import actors
actor, marks, count = getattr(actors, sys.argv[1]), sys.argv[2], int(sys.argv[3])
for _ in range(count):
    actor.send(0.0, marks, "x" * 160)
"""
_TO_RQ = """
import os, sys
import redis, rq
queue = rq.Queue(connection=redis.Redis.from_url(os.environ["BENCH_BROKER"]))
marks, count = sys.argv[2], int(sys.argv[3])
for start in range(0, count, 1000):
    jobs = [rq.Queue.prepare_data("bench.peer.noop", args=(0.0, marks, "x" * 160)) for _ in range(min(1000, count - start))]
    queue.enqueue_many(jobs)
"""


class Other(Side):
    """A queue without a door. It is sent to by a program of a few lines."""

    program = ""

    def __init__(self, broker: Valkey, marks: Path, database: int) -> None:
        super().__init__(broker, marks)
        self._url = broker.url.removesuffix("0") + str(database)
        self.variables = {**os.environ, "BENCH_BROKER": self._url, "PYTHONPATH": str(ROOT)}

    @property
    def broker_url(self) -> str:
        return self._url

    def send(self, kind: Kind, count: int) -> None:
        run([sys.executable, "-c", self.program, kind, str(self.marks), str(count)], env=self.variables, check=True)

    def close(self) -> None:
        """End all."""
        self.stop_working()


class Dramatiq(Other):
    """dramatiq, with stored results: of the Python queues that store them, the fastest to drain."""

    name, program = "dramatiq", _TO_DRAMATIQ

    def workers(self, kind: Kind) -> list[Part]:
        threads = IN_FLIGHT // PROCESSES if kind == "io" else 8
        command = ["dramatiq", "bench.actors", "-p", str(PROCESSES), "-t", str(threads)]
        return [Part("dramatiq", command, self.variables)]

    def check(self, count: int) -> None:
        """Every job's result is stored."""
        with redis.Redis.from_url(self.broker_url) as client:
            wait_until(lambda: client.dbsize() >= count, 30, "all results")  # each a key, of no telling name


class Rq(Other):
    """rq, whose call for many jobs is the fastest; its workers fork for each job, so nothing else of it is measured."""

    name, program, drains = "rq", _TO_RQ, False


def installed(broker: Valkey, folder: Path) -> list[Side]:
    """Those that are here."""
    kinds: list[type[Other]] = [kind for kind in (Dramatiq, Rq) if find_spec(kind.name)]
    return [kind(broker, folder / kind.name, number) for number, kind in enumerate(kinds, 2)]
