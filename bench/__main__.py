"""`python -m bench`: rounds in which Treadle, plain Celery and what else is installed take turns. Some minutes."""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from bench import measures, others, report
from bench.plain import PlainCelery
from bench.sides import Side
from bench.treadle import Treadle
from tests.servers import Postgres, Valkey

say = Console(stderr=True).print


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="bench", description="Treadle beside plain Celery and other queues.")
    parser.add_argument("--postgres", action="store_true", help="keep the ledger in an embedded PostgreSQL, durable")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="of each enqueue rate")
    parser.add_argument("--jobs", type=int, default=6_000, help="to drain")
    parser.add_argument("--idle", type=float, default=30, help="seconds of doing nothing")
    parser.add_argument("--page", type=Path, help="write the table between the marks of this page too")
    given = parser.parse_args()
    rounds: list[report.Round] = []
    loads: list[float] = []
    with _sides(postgres=given.postgres) as sides:
        for number in range(given.rounds):
            say(f"round {number + 1} of {given.rounds}")
            rounds.append(_round(sides, given))
            loads.append(os.getloadavg()[0])
    work = report.summary(rounds)
    under = report.conditions("PostgreSQL" if given.postgres else "SQLite", given.rounds, loads)
    report.show(work, under)
    report.write(work, under)
    if given.page:
        report.into(given.page, work, under)
    say(f"written to {report.OUT}")


def _round(sides: list[Side], given: argparse.Namespace) -> report.Round:
    found: report.Round = {side.name: {} for side in sides}
    doors = [side for side in sides if side.door is not None]
    for connections in (1, 32):
        for side in doors:
            side.wipe()
            found[side.name] |= measures.enqueue(side, connections, given.seconds)
    for kind in ("noop", "io"):
        for side in sides:
            side.wipe()
            sent = measures.send(side, kind, given.jobs)
            if kind == "noop":
                found[side.name] |= sent
            if side.drains:
                found[side.name] |= measures.drain(side, kind, given.jobs)
    for side in doors:
        side.wipe()
        side.start_working("noop")
        found[side.name] |= measures.latency(side, rate=50, seconds=4)
        if isinstance(side, Treadle):
            found[side.name] |= measures.due(side, 10_000)
        side.rest()
    for side, figures in zip(doors, measures.idle(doors, given.idle), strict=True):
        found[side.name] |= figures
        side.stop_working()
    return found


@contextmanager
def _sides(*, postgres: bool) -> Iterator[list[Side]]:
    """All of them, up. The ledger lies beside the bench, on a real disk: a commit is to cost what it costs."""
    report.OUT.parent.mkdir(exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=report.OUT.parent)))
        shared = Path("/dev/shm") if Path("/dev/shm").is_dir() else folder
        marks = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="treadle-bench-", dir=shared)))
        broker = Valkey()
        stack.callback(broker.remove)
        ledger = f"sqlite:///{folder / 'work.db'}"
        if postgres:
            server = Postgres(durable=True)
            stack.callback(server.remove)
            ledger = server.create_database()
        sides: list[Side] = [
            Treadle(broker, marks / "treadle", folder, ledger),
            PlainCelery(broker, marks / "celery", folder),
        ]
        sides += others.installed(broker, marks)
        for side in sides:
            stack.callback(side.close)
        yield sides


main()
