"""Fail points by name, in the real processes and without a line in the product.

`python -m tests.failpoints MODULE ARG…` is `python -m MODULE ARG…` that fails where TREADLE_FAILPOINTS says, such as
"before settle: die 1/20; in the store: fail 0.02". A point is a function of the product; it fails on every 20th call, or by
a chance of 0.02. To `die` is kill -9 from within, with the point's name as last words; to `drop` is to pass the call over,
to `fail` is what a lost database raises. TREADLE_WITHOUT names a guard of tests/guards.py to be taken out.
"""

import os
import random
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from typing import Any

import sqlalchemy as sa

from tests import guards, sql_faults


@dataclass(frozen=True)
class Point:
    """Where it fails: just before a function is called, or just after it returned."""

    module: str
    function: str
    after: bool = False


SAID = "died at the fail point: "  # in the log of who died

POINTS = {
    "between commit and publish": Point("runtime.publisher", "Publisher.offer"),
    "after the claim": Point("workers.attempt", "begin", after=True),
    "after the provider's yes": Point("tasks.http", "send", after=True),
    "after a provider's call": Point("tasks.provider", "ProviderTask._guard", after=True),
    "before settle": Point("workers.settlement", "_write_records"),
    "after settle": Point("workers.execute", "_leave"),
    "before the tick": Point("jobs.schedules", "tick"),
}


def main(argv: list[str], environment: dict[str, str]) -> None:
    """Arm what is asked for, then become the module."""
    for wish in filter(None, environment.get("TREADLE_FAILPOINTS", "").split(";")):
        arm(wish.strip())
    if guard := environment.get("TREADLE_WITHOUT"):
        guards.take_out(guard)
    sys.argv = argv
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)


def arm(wish: str) -> None:
    """Arm one point, told as "where: how often"; importers of the function get the armed one if they come later."""
    where, _, how_often = wish.partition(": ")
    how, often = how_often.split()
    if where == "in the store":
        sql_faults.inject(float(often))
        return
    point = POINTS[where]
    owner: Any = import_module(point.module)
    *path, name = point.function.split(".")
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, name, _armed(getattr(owner, name), point.after, _deed(how, where), _now(often)))


def _armed(function: Callable[..., Any], after: bool, deed: Callable[[], None] | None, now: Callable[[], bool]) -> Any:
    def failing(*args: Any, **kwargs: Any) -> Any:
        if deed is None and now():
            return None
        if deed is not None and not after and now():
            deed()
        answer = function(*args, **kwargs)
        if deed is not None and after and now():
            deed()
        return answer

    return failing


def _deed(how: str, where: str) -> Callable[[], None] | None:
    def die() -> None:
        os.write(sys.stderr.fileno(), f"{SAID}{where}\n".encode())
        os._exit(9)

    def fail() -> None:
        raise sa.exc.OperationalError("a fail point", {}, Exception("injected"))

    return {"die": die, "fail": fail, "drop": None}[how]


def _now(often: str) -> Callable[[], bool]:
    """Whether this call is one that fails: "1/20" is every 20th, "0.05" a chance."""
    if "/" in often:
        every, calls = int(often.partition("/")[2]), count(1)
        return lambda: next(calls) % every == 0
    return lambda: random.random() < float(often)


if __name__ == "__main__":
    main(sys.argv[1:], dict(os.environ))
