"""The door's way to the ledger: one transaction a request, in a thread, and never longer than the door's patience."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from runtime.database import Unavailable, engine, snapshot, transaction

Answer = TypeVar("Answer")

THREADS = 16


class LedgerBusy(Exception):
    """The database is locked, away, or slower than the door's patience. Nothing was stored."""


class Ledger:
    """Runs what a route asks of `jobs` in its own transaction.

    SQLite has one writer, so writes line up in one thread instead of fighting for its lock.
    """

    def __init__(self, patience: timedelta) -> None:
        self._patience = patience.total_seconds()
        writers = 1 if engine().dialect.name == "sqlite" else THREADS
        self._readers: Executor = ThreadPoolExecutor(THREADS, "ledger-read")
        self._writers: Executor = ThreadPoolExecutor(writers, "ledger-write")

    async def read(self, ask: Callable[[Session], Answer]) -> Answer:
        """The answer to a question.

        Raises:
            LedgerBusy: the database did not answer in time.
        """

        def look() -> Answer:
            with snapshot() as session:
                return ask(session)

        return await self._within_patience(self._readers, look)

    async def write(self, do: Callable[[Session], Answer]) -> Answer:
        """The result of a change, committed.

        Raises:
            LedgerBusy: the database did not answer in time. A change that comes through later is rolled back.
        """
        given_up = False

        def still_wanted() -> None:
            if given_up:
                raise LedgerBusy

        def change() -> Answer:
            still_wanted()
            with transaction(before_commit=still_wanted) as session:
                return do(session)

        try:
            return await self._within_patience(self._writers, change)
        except LedgerBusy:
            given_up = True
            raise

    async def _within_patience(self, threads: Executor, call: Callable[[], Answer]) -> Answer:
        work = asyncio.get_running_loop().run_in_executor(threads, call)
        try:
            return await asyncio.wait_for(asyncio.shield(work), self._patience)
        except TimeoutError:
            work.add_done_callback(_ignore)
            raise LedgerBusy from None
        except Unavailable as error:
            raise LedgerBusy from error

    def close(self) -> None:
        """Let the threads end; those that hang in the database are not waited for."""
        for threads in (self._readers, self._writers):
            threads.shutdown(wait=False, cancel_futures=True)


def _ignore(work: "asyncio.Future[Any]") -> None:
    if not work.cancelled():
        work.exception()
