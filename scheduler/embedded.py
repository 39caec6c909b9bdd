"""The scheduler inside a worker: `treadle worker --beat`, or `celery -A workers.app worker --include scheduler.embedded`.

A process less, for a small install. Celery's own `-B` forks one for it.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from celery import signals

from runtime.settings import settings
from scheduler.chores import CHORES
from scheduler.rounds import HANG, Chore, Hang, Round

log = structlog.get_logger()


class Embedded:
    """Rounds in a thread. `leave` is for when they hang: it ends the worker, whose jobs are innocent, in its orderly way."""

    def __init__(self, chores: Iterable[Chore], longest: float, leave: Callable[[int], object]) -> None:
        self._round = Round(chores)
        self._hang = Hang(longest, leave)
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin."""
        self._hang.start()
        threading.Thread(target=self._run, name="scheduler", daemon=True).start()

    def stop(self) -> None:
        """Begin no further round. Returns at once: a signal's handler may call it."""
        self._stopping.set()
        self._hang.end()

    def _run(self) -> None:
        wait = 0.0
        while not self._stopping.wait(wait):
            wait = self._round.go()
            self._hang.fed()


@signals.worker_init.connect
def _check(**_: Any) -> None:
    if settings().worker_pool != "threads":  # its children are forked at any moment, also while a chore holds a lock
        raise SystemExit("A worker of processes cannot be the scheduler as well: start `treadle beat`.")


@signals.worker_ready.connect
def _ready(**_: Any) -> None:
    embedded = Embedded(CHORES, HANG, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    signals.worker_shutting_down.connect(lambda **_: embedded.stop(), weak=False)
    embedded.start()
    log.info("this worker is the scheduler as well")
