"""Waiting for the disk beside those who commit on: one wait serves all that was committed before it began."""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from runtime import sqlite

REST = 0.1  # seconds, after the disk has failed

Then = Callable[[Exception | None], object]
"""What hears that the disk has it, or why not."""


class Disk:
    """A thread that waits for it, begun when it is first needed."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[str | None, Then] | None] = SimpleQueue()  # None: the end
        self._thread: threading.Thread | None = None

    def wait(self, log: str | None, then: Then) -> None:
        """Have `then` called once the disk has what was committed to the log (see `sqlite.outlast`). From one thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ledger-disk", daemon=True)
            self._thread.start()
        self._waiting.put((log, then))

    def close(self) -> None:
        """End the thread once nothing waits."""
        self._waiting.put(None)

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            waiting, is_last = [first], False
            with suppress(Empty):
                while not is_last:
                    following = self._waiting.get(block=False)
                    is_last = following is None
                    if following is not None:
                        waiting.append(following)
            failed = {log: _failure(log) for log in dict.fromkeys(log for log, _ in waiting)}
            for log, then in waiting:
                then(failed[log])
            if any(failed.values()):
                threading.Event().wait(REST)
            if is_last:
                break


def _failure(log: str | None) -> Exception | None:
    try:
        sqlite.outlast(log)
    except Exception as error:  # noqa: BLE001 - it is for those to hear who wait
        return error
    return None
