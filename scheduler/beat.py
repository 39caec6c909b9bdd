"""Celery beat with the ledger as its schedule: the class that `beat_scheduler` names."""

from typing import Any

from celery.beat import Scheduler

from runtime.publisher import publisher
from scheduler.chores import CHORES
from scheduler.rounds import HANG, Hang, Round


class LedgerScheduler(Scheduler):
    """Beat's loop, doing our chores instead of sending messages at fixed times. It keeps no file and no state of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._round = Round(CHORES)
        self._hang = Hang(HANG)
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Nothing to load: the timetables are rows."""
        self._hang.start()

    def tick(self, *_: Any, **__: Any) -> float:
        """One round. Returns the seconds until the next."""
        wait = self._round.go()
        self._hang.fed()
        return wait

    def should_sync(self) -> bool:
        """Nothing to write."""
        return False

    def close(self) -> None:
        """Send the hints that wait."""
        publisher.close()

    @property
    def info(self) -> str:
        """What beat prints at its start."""
        return "    . db -> the ledger"
