"""Writes that wait together are committed together: one transaction, a savepoint each, no timer, no wait when alone."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from runtime.database import Unavailable, engine, transaction

MOST = 100  # calls in one transaction


class Overtaken(Exception):
    """Someone gave a call up while its transaction was open."""


@dataclass(eq=False)
class Call:
    """A change that waits for its turn."""

    do: Callable[[Session], Any]
    row: str = ""
    answer: "Future[Any]" = field(default_factory=Future)
    given_up: bool = False


def writers() -> int:
    """How many threads write best: one on SQLite, which has one writer, so that none fights for its lock; else a few."""
    return 1 if engine().dialect.name == "sqlite" else 4


class GroupCommit:
    """Threads that take all that waits and commit it at once. A call that raises is undone alone; the others stand."""

    def __init__(self, writers: int) -> None:
        self._waiting: deque[Call] = deque()
        self._changed = threading.Condition()
        self._closed = False
        for number in range(writers):
            threading.Thread(target=self._run, name=f"ledger-write-{number}", daemon=True).start()

    def put(self, do: Callable[[Session], Any], row: str = "") -> Call:
        """Queue a change. Its answer comes after the commit; set `given_up` to have it undone if it comes too late.

        `row` names what the change locks, if another may want it too: all transactions lock in the order of these names,
        so that no two wait for each other.
        """
        call = Call(do, row)
        with self._changed:
            self._waiting.append(call)
            self._changed.notify()
        return call

    def close(self) -> None:
        """End the threads once nothing waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                calls = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            wanted = [call for call in calls if call.answer.set_running_or_notify_cancel()]
            self._commit(sorted(wanted, key=lambda call: call.row))

    def _commit(self, calls: list[Call]) -> None:
        while calls := [call for call in calls if not call.given_up]:
            try:
                answers = self._transact(calls)
            except Overtaken:
                continue  # rolled back; once more without the one that was given up
            except BaseException as error:  # noqa: BLE001 - the commit failed, so nobody's change is stored: each is told
                for call in calls:
                    call.answer.set_exception(error)
                return
            for call, (value, refusal) in zip(calls, answers, strict=True):
                if refusal is None:
                    call.answer.set_result(value)
                else:
                    call.answer.set_exception(refusal)
            return

    @staticmethod
    def _transact(calls: list[Call]) -> list[tuple[Any, Exception | None]]:
        def check() -> None:
            if any(call.given_up for call in calls):
                raise Overtaken

        with transaction(before_commit=check) as session:
            if len(calls) == 1:
                return [(calls[0].do(session), None)]  # alone it needs no savepoint: if it raises, all is undone
            return [_one(session, call) for call in calls]


def _one(session: Session, call: Call) -> tuple[Any, Exception | None]:
    callbacks = len(session.info.get("after_commit", ()))
    try:
        with session.begin_nested():
            value = call.do(session)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - it is the caller's to hear
        del session.info.get("after_commit", [])[callbacks:]
        return None, error
    finally:
        session.expunge_all()  # no call sees another's objects
    return value, None
