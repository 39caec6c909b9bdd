"""What a long history costs: the ledger's moves and the door's queries on a ledger of few and of many jobs.

python -m bench.history --rows 5000000            # SQLite
python -m bench.history --rows 5000000 --postgres
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
from statistics import median
from uuid import UUID

from bench.past import fill
from jobs import attempts, bulk_actions, claims, flow, liveness, migrate, queries, search
from jobs.claims import Taken
from jobs.keys import Caller
from jobs.order import Order
from jobs.outcome import Succeeded
from jobs.search import Filter
from jobs.states import State
from jobs.submit import Submission, submit_many
from runtime import clock, database
from runtime.publisher import publisher
from tests.servers import Postgres

FEW = 10_000
TOGETHER = 20  # jobs of a move: less than a queue's window
Call = Callable[[], object]
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


class Side:
    """A ledger, and the calls that are measured on it."""

    def __init__(self, name: str, url: str, rows: int) -> None:
        self.name, self.engine = name, database.create_engine(url)
        self.made, self.taken = list[UUID](), list[Taken]()
        filled = database.create_engine(url, timedelta(hours=1))
        migrate.upgrade(filled)
        fill(filled, rows)
        filled.dispose()
        database.use(self.engine)
        with database.transaction() as session:
            self.worker = liveness.register(session, 1, "threads", ["default"], 4)

    def turn(self) -> None:
        """From now on this process's ledger is this one."""
        database._engines.engine = self.engine  # noqa: SLF001 - use() would close the connections of the other

    def moves(self) -> dict[str, Call]:
        """A job's way, some at a time: each of these finds what those before it have left."""
        return {
            f"create {TOGETHER}": self.create,
            f"create {TOGETHER} for later": self.defer,
            f"feed {TOGETHER}": self.feed,
            f"claim {2 * TOGETHER}": self.claim,
            f"settle {2 * TOGETHER}": self.settle,
        }

    def reads(self) -> dict[str, Call]:
        """What the door is asked."""
        looks = {f"page: {name}": partial(self.page, wanted, [None]) for name, wanted in SEARCHES.items()}
        counts = {f"count: {name}": partial(self.count, wanted) for name, wanted in SEARCHES.items()}
        return {"get": self.get, **looks, **counts}

    def create(self) -> None:
        """Accept jobs that go to their queue at once."""
        self.made = self.submit(Order(task="task.1", payload={}, queue="default", tags=["new"]))

    def defer(self) -> None:
        """Accept jobs that do not."""
        self.due = clock.now() + timedelta(seconds=1)
        self.made += self.submit(Order(task="task.1", payload={}, queue="default", tags=["new"], run_at=self.due))

    def submit(self, order: Order) -> list[UUID]:
        """Record some jobs alike."""
        with database.transaction() as session:
            found = submit_many(session, [(order, None)] * TOGETHER)
            return [each.job.id for each in found if isinstance(each, Submission)]

    def feed(self) -> None:
        """Let these go to their queue, as if it were time."""
        with database.transaction(lasting=False) as session:
            fed = flow.feed(session, "default", self.due)
        assert fed == TOGETHER, f"{fed} were fed"

    def claim(self) -> None:
        """Take them."""
        with database.transaction(lasting=False) as session:
            self.taken = [*claims.claim_all(session, self.made, self.worker, clock.now()).jobs.values()]
        assert len(self.taken) == 2 * TOGETHER, f"{len(self.taken)} were claimed"

    def settle(self) -> None:
        """Record that they succeeded."""
        with database.transaction() as session:
            ended = [(job, Succeeded({"ok": True})) for job in self.taken]
            assert all(attempts.succeed_all(session, ended, clock.now()))

    def get(self) -> None:
        """Read one."""
        with database.snapshot() as session:
            queries.get(session, TENANT, self.made[-1])

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
    """The milliseconds that each call took on each side. They take turns, so that the machine's load meets both."""
    found: Figures = {}

    def take(calls: list[dict[str, Call]]) -> None:
        for side, those in zip(sides, calls, strict=True):
            side.turn()
            for name, call in those.items():
                started = Clock.read()
                call()
                found.setdefault(name, {}).setdefault(side.name, []).append((Clock.read() - started) * 1000)

    moves, reads = [side.moves() for side in sides], [side.reads() for side in sides]
    for _ in range(rounds):
        take(moves)
    for name in reads[0]:
        for _ in range(rounds if not name.startswith("count") else max(20, rounds // 10)):
            take([{name: those[name]} for those in reads])
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
def ledgers(rows: int, *, postgres: bool) -> Iterator[list[Side]]:
    """Two ledgers: of few jobs and of many."""
    folder = Path(tempfile.mkdtemp(prefix="treadle-history-"))
    server = Postgres(durable=True) if postgres else None
    sides: list[Side] = []
    try:
        for name, count in (("few", FEW), ("many", rows)):
            url = server.create_database() if server else f"sqlite:///{folder / name}.db"
            started = time.perf_counter()
            sides.append(Side(name, url, count))
            print(f"{count:,} jobs made in {time.perf_counter() - started:.0f} s", flush=True)
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--cpu", action="store_true", help="CPU time of the calling thread: for SQLite on a busy machine")
    parser.add_argument("--nice", type=int, help="of the rounds, where the building is to give way to others")
    given = parser.parse_args()
    if given.cpu:
        Clock.read = time.thread_time
    publisher.offer = lambda hints: None  # type: ignore[method-assign]  # nothing is published
    with ledgers(given.rows, postgres=given.postgres) as (few, many):
        if given.nice is not None:
            os.setpriority(os.PRIO_PROCESS, 0, given.nice)
        unit, rows = "CPU ms" if given.cpu else "ms", f"{given.rows:,}"
        print(f"\n| call, {unit} | p50 at {FEW:,} | p50 at {rows} | ratio | p99 at {rows} |")
        print("|---|---|---|---|---|")
        for name, taken in measure([few, many], given.rounds).items():
            middle = {side: median(each) for side, each in taken.items()}
            worst = sorted(taken[many.name])[int(len(taken[many.name]) * 0.99)]
            ratio = middle[many.name] / middle[few.name]
            print(f"| {name} | {middle[few.name]:.2f} | {middle[many.name]:.2f} | {ratio:.2f} | {worst:.1f} |")
        many.turn()
        done, taken_by_all = retry_all()
        print(f"\nLoad average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.")
        print(f"{done} dead letters retried by one bulk action in {taken_by_all:.1f} s")


if __name__ == "__main__":
    main()
