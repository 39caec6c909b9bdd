"""The door's way to the ledger: one transaction a request, in a thread, and never longer than the door's patience."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import copy
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from jobs.veil import VeiledSession
from runtime.database import Unavailable, snapshot
from runtime.group_commit import Call, Do, GroupCommit, Then, alone, writers

Answer = TypeVar("Answer")

READERS = 16


class LedgerBusy(Exception):
    """The database is locked, away, or slower than the door's patience. Nothing was stored."""


class _Homeward:
    """The way of answers from the ledger's threads to the requests of one loop: those that come together wake it once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._come: deque[tuple[asyncio.Future[Any], Any]] = deque()
        self._called = False  # by a call that the loop has not heard yet

    def bring(self, waiting: "asyncio.Future[Any]", answer: Any) -> None:
        """Bring an answer, or an exception; from any thread."""
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


class Ledger:
    """Runs what a route asks of `jobs` in its own transaction, or in its own savepoint of one shared by all that wait."""

    def __init__(self, patience: timedelta) -> None:
        self._patience = patience.total_seconds()
        self._readers = ThreadPoolExecutor(READERS, "ledger-read")
        self._writes = GroupCommit(writers())
        self._sessions: type[Session] = Session
        self._homeward: _Homeward | None = None

    def veiled(self) -> "Ledger":
        """The same ledger, as a blind key sees it."""
        seen = copy(self)
        seen._sessions = VeiledSession  # noqa: SLF001 - our own copy
        return seen

    async def read(self, ask: Callable[[Session], Answer]) -> Answer:
        """The answer to a question.

        Raises:
            LedgerBusy: the database did not answer in time.
        """
        answer: Answer = await self._within(self._patience, lambda then: self._readers.submit(self._look, ask, then))
        return answer

    def _look(self, ask: Callable[[Session], Any], then: Then) -> None:
        try:
            with snapshot(self._sessions) as session:
                answer = ask(session)
        except BaseException as error:  # noqa: BLE001 - it is the request's to hear
            then(error)
        else:
            then(answer)

    async def write(self, do: Callable[[Session], Answer], row: str = "", patience: float | None = None) -> Answer:
        """The result of a change, committed. `row` names what it locks, see GroupCommit.put; `patience` is in seconds.

        Raises:
            LedgerBusy: the database did not answer in time. A change that comes through later is undone.
        """
        answer: Answer = await self._written(alone, do, row, patience)
        return answer

    async def join(self, do: Do, item: Any, row: str = "") -> Any:
        """The answer of `do` for an item, committed. `do` is given all items that wait for it, see GroupCommit.join.

        Raises:
            LedgerBusy: as `write` does.
        """
        return await self._written(do, item, row, None)

    async def _written(self, do: Do, item: Any, row: str, patience: float | None) -> Any:
        calls: list[Call] = []
        try:
            return await self._within(
                patience or self._patience, lambda then: calls.append(self._writes.queue(Call(do, item, then, row)))
            )
        except LedgerBusy:
            calls[0].given_up = True
            raise

    async def _within(self, patience: float, begin: Callable[[Then], object]) -> Any:
        loop = asyncio.get_running_loop()
        if self._homeward is None or self._homeward.loop is not loop:
            self._homeward = _Homeward(loop)
        waiting: asyncio.Future[Any] = loop.create_future()
        timer = loop.call_later(patience, _tell_busy, waiting)
        begin(partial(self._homeward.bring, waiting))
        try:
            return await waiting
        except Unavailable as error:
            raise LedgerBusy from error
        finally:
            timer.cancel()

    def close(self) -> None:
        """Let the threads end; those that hang in the database are not waited for."""
        self._writes.close()
        self._readers.shutdown(wait=False, cancel_futures=True)


def _tell_busy(waiting: "asyncio.Future[Any]") -> None:
    if not waiting.done():
        waiting.set_exception(LedgerBusy())
