"""What a long history costs: the door's queries on a ledger of few and of many jobs.

python -m bench.history --rows 1000000            # SQLite
python -m bench.history --rows 1000000 --postgres
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobs import attempts, bulk_actions, liveness, migrate, queries, search, store
from jobs.keys import Caller
from jobs.labels import of_metadata, of_tag
from jobs.model import Job, Label
from jobs.order import Order
from jobs.search import Filter
from jobs.states import Reason, State
from jobs.submit import submit
from runtime import clock, database
from runtime.publisher import publisher
from tests.servers import Postgres

FEW = 10_000
CHUNK = 10_000
ROUNDS = 200
TENANT = "default"
SEARCHES = {
    "list": Filter(),
    "state=failed": Filter(state=State.FAILED),
    "state=succeeded": Filter(state=State.SUCCEEDED),
    "task": Filter(task="task.7"),
    "queue": Filter(queue="cpu"),
    "tag": Filter(tags=("tag7",)),
    "metadata": Filter(metadata=(("customer", "77"),)),
    "error class": Filter(error_class="Timeout3"),
    "task and state": Filter(task="task.7", state=State.FAILED),
    "queue and tag": Filter(queue="cpu", tags=("tag7",)),
    "text, found soon": Filter(text="number 1"),
    "text, found nowhere": Filter(text="nowhere"),
}


class Clock:
    """Of the wall; or of this thread's CPU, in which SQLite works and which other programs change little."""

    read = time.perf_counter


def fill(session: Session, start: int, rows: int, random: Random) -> None:
    """Add final jobs, a second apart, as a history has them."""
    epoch = clock.now() - timedelta(days=30)
    jobs, labels = [], []
    for number in range(start, start + rows):
        at = epoch + timedelta(seconds=number)
        job_id = UUID(int=(int(at.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | random.getrandbits(60))
        failed = number % 20 == 0
        order = Order(
            task=f"task.{number % 50}", payload={"text": f"number {number}"}, queue="cpu" if number % 10 == 0 else "default"
        )
        state = State.FAILED if failed else State.SUCCEEDED
        jobs.append(order.row(job_id, at) | {
            "state": state, "epoch": 1, "attempt": 1, "started_at": at, "finished_at": at, "hinted_at": at, "result": None,
            "reason": Reason.EXHAUSTED if failed else None, "error": {"class": "Timeout"} if failed else None,
            "error_class": f"Timeout{number % 5}" if failed else None,
        })  # fmt: skip
        if number % 4 == 0:
            found_by = of_tag(f"tag{number % 1000}"), of_metadata("customer", str(number % 10_000))
            labels += ({"tenant": TENANT, "label": label, "job_id": job_id} for label in found_by)
    session.execute(sa.insert(Job), jobs)
    if labels:
        session.execute(sa.insert(Label), labels)


class Side:
    """A ledger, and the calls that are measured on it."""

    def __init__(self, name: str, engine: sa.Engine) -> None:
        self.name, self.engine, self.made = name, engine, list[Job]()
        database.use(engine)
        migrate.upgrade(engine)

    def fill(self, rows: int) -> None:
        """Give it a history."""
        database.use(self.engine)
        random = Random(7)
        for start in range(0, rows, CHUNK):
            with database.transaction() as session:
                fill(session, start, CHUNK, random)
        if self.engine.dialect.name == "postgresql":
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM (ANALYZE)")  # as PostgreSQL does by itself a minute later
        with database.transaction() as session:
            self.worker = liveness.register(session, 1, "threads", ["default"], 4)

    def calls(self) -> dict[str, Callable[[], Any]]:
        """What is measured."""
        looks = {f"page: {name}": partial(self.page, wanted, [None]) for name, wanted in SEARCHES.items()}
        counts = {f"count: {name}": partial(self.count, wanted) for name, wanted in SEARCHES.items()}
        return {"create": self.create, "get": self.get, "release and claim": self.claim, **looks, **counts}

    def create(self) -> None:
        """Accept a job."""
        with database.transaction() as session:
            self.made.append(submit(session, Order(task="task.1", payload={}, queue="default", tags=["new"])).job)

    def get(self) -> None:
        """Read one."""
        with database.snapshot() as session:
            queries.get(session, TENANT, self.made[-1].id)

    def claim(self) -> None:
        """Take one."""
        job = self.made.pop()
        with database.transaction() as session:
            store.release(session, [job.id], clock.now())
            attempts.claim_all(session, [job.id], self.worker, clock.now())

    def page(self, wanted: Filter, cursors: list[str | None]) -> None:
        """The next page of a search."""
        with database.snapshot() as session:
            cursors.append(search.page(session, TENANT, wanted, 50, cursors[-1]).next_cursor)

    def count(self, wanted: Filter) -> None:
        """How many there are."""
        with database.snapshot() as session:
            search.count(session, TENANT, wanted)


Figures = dict[str, dict[str, list[float]]]


def measure(sides: list[Side], rounds: int) -> Figures:
    """The milliseconds that each call took on each side, sorted. They take turns, so that the machine's load meets both."""
    found: Figures = {}
    calls = {side.name: side.calls() for side in sides}
    for name in calls[sides[0].name]:
        taken: dict[str, list[float]] = {side.name: [] for side in sides}
        for _ in range(rounds if not name.startswith("count") else max(20, rounds // 10)):
            for side in sides:
                database._engines.engine = side.engine  # noqa: SLF001 - use() would close the connections of the other
                started = Clock.read()
                calls[side.name][name]()
                taken[side.name].append((Clock.read() - started) * 1000)
        found[name] = {side: sorted(each) for side, each in taken.items()}
    return found


def retry_all() -> tuple[int, float]:
    """Retry every dead letter by one bulk action: how many, and in how many seconds."""
    with database.transaction() as session:
        action = bulk_actions.begin(session, Caller("bench", TENANT, "admin"), "retry", {}, Filter(state=State.FAILED))
    started = time.perf_counter()
    more = True
    while more:
        with database.transaction() as session:
            more = bulk_actions.step(session, action.id, clock.now())
    taken = time.perf_counter() - started
    with database.snapshot() as session:
        return bulk_actions.get(session, TENANT, action.id).done, taken


@contextmanager
def ledgers(postgres: bool) -> Iterator[list[Side]]:
    """Two empty ledgers."""
    folder = Path(tempfile.mkdtemp(prefix="treadle-history-"))
    server = Postgres() if postgres else None
    urls = [server.create_database() if server else f"sqlite:///{folder / name}.db" for name in ("few", "many")]
    sides = [Side(name, database.create_engine(url)) for name, url in zip(("few", "many"), urls, strict=True)]
    try:
        yield sides
    finally:
        database.use(None)
        for side in sides:
            side.engine.dispose()
        if server:
            server.remove()
        shutil.rmtree(folder)


def main() -> None:
    """Fill, measure, and say it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--cpu", action="store_true", help="CPU time of the calling thread: for SQLite on a busy machine")
    given = parser.parse_args()
    if given.cpu:
        Clock.read = time.thread_time
    publisher.offer = lambda hints: None  # type: ignore[method-assign]  # nothing is published
    with ledgers(given.postgres) as sides:
        few, many = sides
        few.fill(FEW)
        many.fill(given.rows)
        clock_used = "CPU ms" if given.cpu else "ms"
        print(f"| call, {clock_used} | p50 at {FEW:,} | p50 at {given.rows:,} | ratio | p99 at {given.rows:,} |")
        print("|---|---|---|---|---|")
        for name, taken in measure(sides, given.rounds).items():
            middle = {side: each[len(each) // 2] for side, each in taken.items()}
            worst = taken[many.name][int(len(taken[many.name]) * 0.99)]
            ratio = middle[many.name] / middle[few.name]
            print(f"| {name} | {middle[few.name]:.2f} | {middle[many.name]:.2f} | {ratio:.2f} | {worst:.1f} |")
        database.use(many.engine)
        done, taken_by_all = retry_all()
        print(f"\nLoad average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.")
        print(f"{done} dead letters retried by one bulk action in {taken_by_all:.1f} s")


if __name__ == "__main__":
    main()
