"""The order of a round: each work by every side that does it, in turns. What fails is named, and the rest goes on."""

import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, cast

from rich.console import Console

from bench import measures
from bench.measures import Figures
from bench.sides import Side
from bench.treadle import Treadle

LIMIT = 240  # seconds for one work of one side
say = Console(stderr=True, highlight=False).print


class Size(NamedTuple):
    """How much of each."""

    seconds: float  # of each enqueue rate
    jobs: int  # to drain
    idle: float  # seconds of doing nothing
    whole: bool  # all works, not only those of every day


class Work(NamedTuple):
    """What is measured of the sides that do one of these."""

    name: str
    needs: frozenset[str]
    measure: Callable[[Side], Figures]
    alone: bool = False  # no other side's door is open: idle processes share what they hold in memory


def works(size: Size) -> list[Work]:
    """Those of a round, in order."""

    def work(name: str, needs: str, measure: Callable[[Side], Figures]) -> Work:
        return Work(name, frozenset(needs.split()), measure, alone=name == "idle")

    usual = [
        work("idle", "idle", lambda side: measures.idle(side, size.idle)),
        work("enqueue-1", "enqueue", lambda side: measures.enqueue(side, 1, size.seconds)),
        work("enqueue-32", "enqueue", lambda side: measures.enqueue(side, 32, size.seconds)),
        work("noop", "bulk noop", lambda side: measures.drain(side, "noop", size.jobs, 2 * measures.SLOTS)),
        work("io-100", "io", lambda side: measures.drain(side, "io", size.jobs, 100)),
        work("latency-50", "latency", lambda side: measures.latency(side, 50, 8)),
        work("lateness", "due", lambda side: measures.lateness(cast("Treadle", side))),
        work("due", "due", lambda side: measures.due(cast("Treadle", side), 10_000)),
    ]
    more = [
        work("enqueue-256", "enqueue", lambda side: measures.enqueue(side, 256, size.seconds)),
        work("io-1000", "io", lambda side: measures.drain(side, "io", size.jobs, 1_000)),
        work("mixed", "mixed", lambda side: measures.mixed(side, size.seconds)),
        work("latency-500", "latency", lambda side: measures.latency(side, 500, 4)),
    ]
    return usual + more if size.whole else usual


def play(sides: list[Side], given: list[Work], failed: list[str]) -> dict[str, Figures]:
    """One round. What failed is added to the list."""
    found: dict[str, Figures] = {side.name: {} for side in sides}
    for work in given:
        for side in [side for side in sides if work.needs & side.does]:
            began = time.monotonic()
            try:
                with _limit(LIMIT):
                    side.wipe()
                    side.open()
                    found[side.name] |= work.measure(side)
                    side.stop_working()
            except Exception as error:  # noqa: BLE001 - whatever goes wrong with one, the others are to be measured
                where = traceback.extract_tb(error.__traceback__)[-1]
                why = f"{type(error).__name__} in {where.name}: {(str(error) or str(where.line)).splitlines()[0][:200]}"
                failed.append(f"{side.name}, {work.name}: {why}")
                say(f"[red]{failed[-1]}")
                side.shut()
            if work.alone:
                side.shut()
            say(f"  {work.name}: {side.name}, {time.monotonic() - began:.0f} s")
    for side in sides:
        side.shut()
    return found


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """The last resort against what hangs: each wait has a limit of its own.

    Raises:
        TimeoutError: in the middle of what goes on.
    """

    def stop(*_: object) -> None:
        raise TimeoutError(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
