"""`python -m bench`: rounds of Treadle, plain Celery, Treadle, plain Celery, … About two minutes."""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from bench import measures, report
from bench.plain import PlainCelery
from bench.sides import Side
from bench.treadle import Treadle
from tests.servers import Postgres, Valkey

say = Console(stderr=True).print


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="bench", description="Treadle beside plain Celery.")
    parser.add_argument("--postgres", action="store_true", help="keep the ledger in an embedded PostgreSQL, durable")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="of each enqueue rate")
    parser.add_argument("--jobs", type=int, default=600, help="to drain")
    parser.add_argument("--idle", type=float, default=10, help="seconds of doing nothing")
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
    say(f"written to {report.OUT}")


def _round(sides: list[Side], given: argparse.Namespace) -> report.Round:
    found: report.Round = {side.name: {} for side in sides}
    for connections in (1, 32):
        for side in sides:
            side.wipe()
            found[side.name] |= measures.enqueue(side, connections, given.seconds)
    for side in sides:
        side.wipe()
        found[side.name] |= measures.drain(side, given.jobs)
    for side in sides:
        found[side.name] |= measures.latency(side, rate=20, seconds=3)
    for side, figures in zip(sides, measures.idle(sides, given.idle), strict=True):
        found[side.name] |= figures
        side.stop_working()
    return found


@contextmanager
def _sides(*, postgres: bool) -> Iterator[list[Side]]:
    """Both sides, up. Ledgers lie beside the bench, on a real disk: a commit is to cost what it costs."""
    report.OUT.parent.mkdir(exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=report.OUT.parent)))
        shared = Path("/dev/shm") if Path("/dev/shm").is_dir() else folder
        marks = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="treadle-bench-", dir=shared)))
        broker = Valkey()
        stack.callback(broker.remove)
        if postgres:
            server = Postgres(durable=True)
            stack.callback(server.remove)
            ledgers = server.create_database(), server.create_database()
        else:
            ledgers = f"sqlite:///{folder / 'work.db'}", f"sqlite:///{folder / 'rated.db'}"
        ours = Treadle(broker, marks / "treadle", folder, ledgers)
        stack.callback(ours.close)
        peer = PlainCelery(broker, marks / "celery", folder)
        stack.callback(peer.close)
        yield [ours, peer]


main()
