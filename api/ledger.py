"""The door's way to the ledger: one transaction a request, in a thread, and never longer than the door's patience."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from api.waits import LedgerBusy, Waits
from jobs.veil import VeiledSession
from runtime.calls import Call, Do, Then, alone
from runtime.database import Unavailable, snapshot
from runtime.group_commit import GroupCommit, writers

Answer = TypeVar("Answer")

__all__ = ["Ledger", "LedgerBusy"]

READERS = 16


class Ledger:
    """Runs what a route asks of `jobs` in its own transaction, or in its own savepoint of one shared by all that wait."""

    def __init__(self, patience: timedelta) -> None:
        self._patience = patience.total_seconds()
        self._readers = ThreadPoolExecutor(READERS, "ledger-read")
        self._writes = GroupCommit(writers())
        self._sessions: type[Session] = Session
        self._waits: Waits | None = None

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
        waiting, then = self._wait(self._patience)
        self._readers.submit(self._look, ask, then)
        try:
            answer: Answer = await waiting
        except Unavailable as error:
            raise LedgerBusy from error
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
        answer: Answer = await self.join(alone, do, row, patience)
        return answer

    async def join(self, do: Do, item: Any, row: str = "", patience: float | None = None) -> Any:
        """The answer of `do` for an item, committed. `do` is given all items that wait for it, see GroupCommit.join.

        Raises:
            LedgerBusy: as `write` does.
        """
        waiting, then = self._wait(patience or self._patience)
        call = self._writes.queue(Call(do, item, then, row))
        try:
            return await waiting
        except LedgerBusy:
            call.given_up = True
            raise
        except Unavailable as error:
            raise LedgerBusy from error

    def _wait(self, patience: float) -> tuple["asyncio.Future[Any]", Then]:
        """What to wait for, and what to call with the answer."""
        loop = asyncio.get_running_loop()
        if self._waits is None or self._waits.loop is not loop:
            self._waits = Waits(loop)
        return self._waits.begin(patience)

    def close(self) -> None:
        """Let the threads end; those that hang in the database are not waited for."""
        self._writes.close()
        self._readers.shutdown(wait=False, cancel_futures=True)
