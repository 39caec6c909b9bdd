"""How requests wait for the ledger's threads: many cheaply."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any


class LedgerBusy(Exception):
    """The database is locked, away, or slower than the door's patience. Nothing was stored."""


class Waits:
    """Those who wait in one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._come: deque[tuple[asyncio.Future[Any], Any]] = deque()
        self._called = False  # by a call that the loop has not heard yet
        self._lines: dict[float, _Line] = {}  # by their patience

    def begin(self, patience: float) -> tuple["asyncio.Future[Any]", Callable[[Any], None]]:
        """What to wait for, for so many seconds, and what brings it its answer, or an exception, from any thread.

        It raises LedgerBusy if no answer comes in time.
        """
        line = self._lines.get(patience)
        if line is None:
            line = self._lines[patience] = _Line(self.loop, patience)
        waiting = self.loop.create_future()
        line.join(waiting)
        return waiting, partial(self._bring, waiting)

    def _bring(self, waiting: "asyncio.Future[Any]", answer: Any) -> None:
        """Those that come together wake the loop once."""
        self._come.append((waiting, answer))
        if not self._called:
            self._called = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                self.loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        self._called = False  # before it looks: what comes in after that calls again
        while self._come:
            waiting, answer = self._come.popleft()
            if waiting.done():
                continue
            if isinstance(answer, BaseException):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)


class _Line:
    """Those who wait equally long, with one timer: to set and drop one each takes longer than all else about the wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop, patience: float) -> None:
        self._loop, self._patience = loop, patience
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()  # in the order in which they lose it
        self._is_watched = False

    def join(self, waiting: "asyncio.Future[Any]") -> None:
        """Tell it that the ledger is busy, unless it is done in time."""
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
        self._waiting.append((self._loop.time() + self._patience, waiting))
        if not self._is_watched:
            self._is_watched = True
            self._loop.call_later(self._patience, self._look)

    def _look(self) -> None:
        while self._waiting:
            until, waiting = self._waiting[0]
            if not waiting.done():
                if self._loop.time() < until:
                    self._loop.call_at(until, self._look)
                    return
                waiting.set_exception(LedgerBusy())
            self._waiting.popleft()
        self._is_watched = False
