"""The door's way to the ledger: one transaction a request, in a thread, and never longer than the door's patience."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from copy import copy
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from jobs.veil import VeiledSession
from runtime.database import Unavailable, snapshot
from runtime.group_commit import Call, GroupCommit, writers

Answer = TypeVar("Answer")

READERS = 16


class LedgerBusy(Exception):
    """The database is locked, away, or slower than the door's patience. Nothing was stored."""


class Ledger:
    """Runs what a route asks of `jobs` in its own transaction, or in its own savepoint of one shared by all that wait."""

    def __init__(self, patience: timedelta) -> None:
        self._patience = patience.total_seconds()
        self._readers = ThreadPoolExecutor(READERS, "ledger-read")
        self._writes = GroupCommit(writers())
        self._sessions: type[Session] = Session

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

        def look() -> Answer:
            with snapshot(self._sessions) as session:
                return ask(session)

        return await self._within(self._patience, self._readers.submit(look))

    async def write(self, do: Callable[[Session], Answer], row: str = "", patience: float | None = None) -> Answer:
        """The result of a change, committed. `row` names what it locks, see GroupCommit.put; `patience` is in seconds.

        Raises:
            LedgerBusy: the database did not answer in time. A change that comes through later is undone.
        """
        answer: Answer = await self._done(self._writes.put(do, row), patience)
        return answer

    async def join(self, do: Callable[[Session, list[Any]], Sequence[Any]], item: Any, row: str = "") -> Any:
        """The answer of `do` for an item, committed. `do` is given all items that wait for it, see GroupCommit.join.

        Raises:
            LedgerBusy: as `write` does.
        """
        return await self._done(self._writes.join(do, item, row), None)

    async def _done(self, call: Call, patience: float | None) -> Any:
        try:
            return await self._within(patience or self._patience, call.answer)
        except LedgerBusy:
            call.given_up = True
            raise

    @staticmethod
    async def _within(patience: float, work: "Future[Answer]") -> Answer:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Answer] = loop.create_future()
        timer = loop.call_later(patience, _tell_busy, done)
        work.add_done_callback(lambda work: _pass_on(loop, work, done))
        try:
            return await done
        except Unavailable as error:
            raise LedgerBusy from error
        finally:
            timer.cancel()

    def close(self) -> None:
        """Let the threads end; those that hang in the database are not waited for."""
        self._writes.close()
        self._readers.shutdown(wait=False, cancel_futures=True)


def _tell_busy(done: "asyncio.Future[Any]") -> None:
    if not done.done():
        done.set_exception(LedgerBusy())


def _pass_on(loop: asyncio.AbstractEventLoop, work: "Future[Answer]", done: "asyncio.Future[Answer]") -> None:
    """From the ledger's thread to the request's: a third of what asyncio's wrap_future, shield and wait_for take."""
    with suppress(RuntimeError):  # the loop is closed: nobody waits
        loop.call_soon_threadsafe(_copy, work, done)


def _copy(work: "Future[Answer]", done: "asyncio.Future[Answer]") -> None:
    if done.done():
        return
    if work.cancelled():
        done.cancel()
    elif (error := work.exception()) is not None:
        done.set_exception(error)
    else:
        done.set_result(work.result())
