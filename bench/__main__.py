"""`python -m bench`: rounds in which Treadle, plain Celery and what else is installed take turns. Some minutes."""

import argparse
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import chart, others, report
from bench.bare import Bare
from bench.others import Other
from bench.rounds import Size, play, say, works
from bench.sides import Side
from bench.treadle import Treadle
from tests.servers import Postgres, Valkey

USUAL = ["celery", "dramatiq", "rq"]
ALL = [
    "celery",
    "celery:acks_late",
    "celery:threads",
    "flower",
    "arq",
    "dramatiq",
    "huey",
    "procrastinate",
    "rq",
    "saq",
    "taskiq",
]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="bench", description="Treadle beside plain Celery and other queues.")
    parser.add_argument("--full", action="store_true", help="all works and all queues, and Treadle on both ledgers")
    parser.add_argument("--postgres", action="store_true", help="keep the ledger in an embedded PostgreSQL, durable")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3, help="of each enqueue rate")
    parser.add_argument("--jobs", type=int, default=6_000, help="to drain")
    parser.add_argument("--idle", type=float, default=15, help="seconds of doing nothing")
    parser.add_argument("--sides", nargs="*", help=f"whom to measure beside Treadle, of: {' '.join(ALL)}")
    parser.add_argument("--works", nargs="*", help="what to measure, as the lines of a run name it")
    parser.add_argument("--page", type=Path, help="write the table between the marks of this page, and the plot beside it")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # what has been started ends with it
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a thousand threads have a connection each
    size = Size(given.seconds, given.jobs, given.idle, whole=given.full or given.works is not None)
    known = {work.name: work for work in works(size)}
    if unknown := set(given.works or ()) - known.keys():
        parser.error(f"there is no work named {', '.join(sorted(unknown))}; there are: {' '.join(known)}")
    wanted = [work for name, work in known.items() if given.works is None or name in given.works]
    names = given.sides if given.sides is not None else ALL if given.full else USUAL
    ledgers = ["SQLite", "PostgreSQL"] if given.full else ["PostgreSQL"] if given.postgres else ["SQLite"]
    rounds, failed, loads = [], list[str](), list[float]()
    with _sides([name for name in names if others.is_installed(name)], ledgers) as sides:
        versions = {name: number for side in sides if isinstance(side, Other) for name, number in side.version.items()}
        for number in range(given.rounds):
            say(f"round {number + 1} of {given.rounds}")
            rounds.append(play(sides, wanted, failed))
            loads.append(os.getloadavg()[0])
    found = report.Found(
        report.summaries(rounds, ledgers), report.conditions(ledgers, given.rounds, loads, versions, failed)
    )
    report.show(found)
    report.write(found)
    if given.page:
        report.into(given.page, found)
        chart.write(given.page.parent / "pictures" / "performance.svg", found.work)
    say(f"written to {report.OUT}")


@contextmanager
def _sides(names: list[str], ledgers: list[str]) -> Iterator[list[Side]]:
    """All of them, shut. The ledger lies beside the bench, on a real disk: a commit is to cost what it costs."""
    report.OUT.parent.mkdir(exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=report.OUT.parent)))
        shared = Path("/dev/shm") if Path("/dev/shm").is_dir() else folder
        marks = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="treadle-bench-", dir=shared)))
        broker = Valkey()
        stack.callback(broker.remove)
        urls = {"SQLite": f"sqlite:///{folder / 'work.db'}"}
        if "PostgreSQL" in ledgers or "procrastinate" in names:
            server = Postgres(durable=True)
            stack.callback(server.remove)
            urls["PostgreSQL"], theirs = server.create_database(), server.create_database().replace("+psycopg", "")
        sides: list[Side] = []
        for number, ledger in enumerate(ledgers):
            sides.append(Treadle(ledger, urls[ledger], broker, number, marks / ledger, folder / ledger))
            stack.callback(sides[-1].close)
        for number, name in enumerate(names, len(ledgers)):
            sides.append(Other(name, theirs if name == "procrastinate" else "", broker, number, marks / name))
            stack.callback(sides[-1].close)
        sides.append(Bare(broker, 0, marks / "bare"))
        stack.callback(sides[-1].close)
        yield sides


if __name__ == "__main__":
    main()
