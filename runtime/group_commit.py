"""Writes that wait together are committed together: one transaction, no timer, and no wait where somebody waits."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from functools import partial
from math import inf
from operator import attrgetter
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import structlog
from sqlalchemy.orm import Session

from runtime import afterwards, clock, sqlite
from runtime.calls import Awaited, Call, Do, Overtaken, alone
from runtime.database import Seat, Unavailable, engine
from runtime.disk import Disk

log = structlog.get_logger()

MOST = 100  # calls in one transaction
GATHER = 0.01  # seconds between a commit and the next, if all that waits is patient
FIRST_REST, LONGEST_REST = 0.1, 2.0  # seconds between tries of a call that insists, while the database is away


def writers() -> int:
    """How many threads write best: one on SQLite, which has one writer, so that none fights for its lock; else a few."""
    return 1 if engine().dialect.name == "sqlite" else 4


QueuedCall = TypeVar("QueuedCall", bound=Call)
_row = attrgetter("row")


class GroupCommit:
    """Threads that take all that waits and commit it at once. A call that raises is undone alone; the others stand."""

    def __init__(self, writers: int) -> None:
        self._waiting: SimpleQueue[Call | None] = SimpleQueue()  # None: the end, for one writer
        self._writers = writers
        self._committed = -inf  # when one last did, on the monotonic clock
        for number in range(writers):
            threading.Thread(target=self._run, name=f"ledger-write-{number}", daemon=True).start()

    def put(self, change: Callable[[Session], Any], row: str = "") -> Awaited:
        """Queue a change. Its answer comes after the commit; set `given_up` to have it undone if it comes too late.

        `row` names what the change locks, if another may want it too: all transactions lock in the order of these names,
        so that no two wait for each other.
        """
        return self.join(alone, change, row)

    def join(self, do: Do, item: Any, row: str = "", *, insists: bool = False) -> Awaited:
        """Queue an item for `do`, which is given all that wait for it at once.

        A call that `insists` is tried again for as long as the database is away, and what was put behind it waits too.
        """
        return self.queue(Awaited(do, item, row, insists=insists))

    def queue(self, call: QueuedCall) -> QueuedCall:
        """Queue a call, see `put` and `join`."""
        self._waiting.put(call)
        return call

    def close(self) -> None:
        """End the threads once nothing waits."""
        for _ in range(self._writers):
            self._waiting.put(None)

    def _run(self) -> None:
        again, rest, is_last = list[Call](), FIRST_REST, False
        with closing(Seat()) as seat, closing(Disk()) as disk:
            while again or not is_last:
                calls, is_last = self._take(again, is_last)
                again = self._commit(sorted((call for call in calls if call.is_wanted()), key=_row), seat, disk)
                if again:
                    threading.Event().wait(rest)
                    rest = min(2 * rest, LONGEST_REST)
                else:
                    rest = FIRST_REST

    def _take(self, first: list[Call], is_last: bool) -> tuple[list[Call], bool]:
        """What is to be done next, and whether nothing will come after it. Waits if there is nothing, or all is patient."""
        calls, patient = first, all(call.patient for call in first)
        with suppress(Empty):
            while len(calls) < MOST and not is_last:
                left = self._committed + GATHER - clock.monotonic() if patient else 0.0
                call = self._waiting.get(timeout=left) if calls and left > 0 else self._waiting.get(block=not calls)
                is_last = call is None
                if call is not None:
                    calls.append(call)
                    patient = patient and call.patient
        return calls, is_last

    def _commit(self, calls: list[Call], seat: Seat, disk: Disk) -> list[Call]:
        """Commit the calls and give their answers. Returns those that must be tried again."""
        while calls := [call for call in calls if not call.given_up]:
            logs: list[str | None] = []
            try:
                answers = self._transact(calls, seat, logs.append)
                if logs and self._waiting.empty():  # nobody is held up: another thread for it would only take time
                    sqlite.outlast(logs.pop())
            except Overtaken:
                continue  # rolled back; once more without the one that was given up
            except BaseException as error:  # noqa: BLE001 - the commit failed, so nobody's change is stored: each is told
                return _refuse(calls, error)
            self._committed = clock.monotonic()
            tell = partial(self._tell, answers)
            if logs:
                disk.wait(logs.pop(), tell)
            else:
                tell(None)
            break
        return []

    def _tell(self, answers: dict[Call, Any], failure: Exception | None) -> None:
        """Give the answers of what was committed, unless the disk has failed it."""
        if failure is None:
            for call, answer in answers.items():
                call.end(answer)
        else:
            for call in _refuse(answers, failure):
                self._waiting.put(call)

    @staticmethod
    def _transact(calls: list[Call], seat: Seat, outlast: Callable[[str | None], object]) -> dict[Call, Any]:
        """What becomes of the calls: all at once without savepoints; if one raises, once more with them.

        `outlast` is called with the log for whose sake the disk has to be waited for, if it has.
        """
        groups: dict[Any, list[Call]] = {}
        for call in calls:
            groups.setdefault(call if call.do is alone else call.do, []).append(call)
        stored, lasting = False, any(call.lasting for call in calls)

        def check() -> None:
            if any(call.given_up for call in calls):
                raise Overtaken

        def note() -> None:
            nonlocal stored
            stored = True

        try:
            with seat.transaction(before_commit=check, lasting=lasting, outlast=outlast) as session:
                afterwards.after_commit(session, note)
                answers: dict[Call, Any] = {}
                for group in groups.values():
                    if answers:
                        _part(session)
                    answers.update(_done(session, group))
                return answers
        except (*Unavailable, Overtaken):
            raise
        except Exception:
            if stored or len(calls) == 1:
                raise
        with seat.transaction(before_commit=check, outlast=outlast) as session:
            return {call: answer for group in groups.values() for call, answer in _done_apart(session, group)}


def _refuse(calls: Iterable[Call], error: BaseException) -> list[Call]:
    """Tell what went wrong. Returns those that must be tried again, and hear nothing of it."""
    again = [call for call in calls if call.insists and isinstance(error, Unavailable)]
    for call in calls:
        if call not in again:
            call.end(error)
    return again


def _done(session: Session, calls: list[Call]) -> Iterator[tuple[Call, Any]]:
    """What becomes of calls that are done at once."""
    return zip(calls, calls[0].do(session, [call.item for call in calls]), strict=True)


def _part(session: Session) -> None:
    """End one part of a transaction: no call sees another's objects."""
    session.flush()
    session.expunge_all()


def _done_apart(session: Session, calls: list[Call]) -> Iterator[tuple[Call, Any]]:
    """The same, so that a call that raises spoils no other's: of each alone, if they cannot be done at once."""
    begun = afterwards.so_far(session)
    try:
        with session.begin_nested():
            answers = [*_done(session, calls)]
            _part(session)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - it is the caller's to hear
        session.expunge_all()
        afterwards.undone(session, begun)
        if len(calls) == 1:
            answers = [(calls[0], error)]
        else:
            log.warning("not done at once, so one by one", calls=len(calls), error=repr(error)[:500])
            answers = [answer for one in calls for answer in _done_apart(session, [one])]
    yield from answers
