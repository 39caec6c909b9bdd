"""Writes that wait together are committed together: one transaction, no timer, and no wait where somebody waits."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass
from math import inf
from operator import attrgetter
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import structlog
from sqlalchemy.orm import Session

from runtime import clock
from runtime.database import Seat, Unavailable, after_commit, engine

log = structlog.get_logger()

MOST = 100  # calls in one transaction
GATHER = 0.01  # seconds between a commit and the next, if all that waits is patient
FIRST_REST, LONGEST_REST = 0.1, 2.0  # seconds between tries of a call that insists, while the database is away


QueuedCall = TypeVar("QueuedCall", bound="Call")


class Overtaken(Exception):
    """Someone gave a call up while its transaction was open."""


Do = Callable[[Session, list[Any]], Sequence[Any]]
"""What a call does: it answers for each item, with an exception for one that it refuses."""
Then = Callable[[Any], object]
"""What hears the answer of a call, or an exception, in a thread that has other work to do."""


@dataclass(eq=False, slots=True)
class Call:
    """A change that waits for its turn."""

    do: Do
    item: Any
    then: Then
    row: str = ""
    insists: bool = False
    lasting: bool = True  # see `transaction`
    patient: bool = False  # nobody waits for it: it can share the next commit, if one has just been
    given_up: bool = False

    def is_wanted(self) -> bool:
        """Whether its caller still waits; from then on it cannot cancel."""
        return True

    def end(self, answer: Any) -> None:
        """Tell what became of it."""
        try:
            self.then(answer)
        except Exception:
            log.exception("an answer was not taken")


class Awaited(Call):
    """A call whose answer can be waited for."""

    __slots__ = ("answer",)

    def __init__(self, do: Do, item: Any, row: str = "", *, insists: bool = False) -> None:
        self.answer: Future[Any] = Future()
        super().__init__(do, item, self._keep, row, insists)

    def is_wanted(self) -> bool:
        return self.answer.running() or self.answer.set_running_or_notify_cancel()

    def _keep(self, answer: Any) -> None:
        if isinstance(answer, BaseException):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


def alone(session: Session, changes: list[Callable[[Session], Any]]) -> list[Any]:
    """The `do` of changes that have nothing in common."""
    return [change(session) for change in changes]


def writers() -> int:
    """How many threads write best: one on SQLite, which has one writer, so that none fights for its lock; else a few."""
    return 1 if engine().dialect.name == "sqlite" else 4


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
        with closing(Seat()) as seat:
            while again or not is_last:
                calls, is_last = self._take(again, is_last)
                again = self._commit(sorted((call for call in calls if call.is_wanted()), key=_row), seat)
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

    def _commit(self, calls: list[Call], seat: Seat) -> list[Call]:
        """Commit the calls and give their answers. Returns those that must be tried again."""
        while calls := [call for call in calls if not call.given_up]:
            try:
                answers = self._transact(calls, seat)
            except Overtaken:
                continue  # rolled back; once more without the one that was given up
            except BaseException as error:  # noqa: BLE001 - the commit failed, so nobody's change is stored: each is told
                again = [call for call in calls if call.insists and isinstance(error, Unavailable)]
                for call in calls:
                    if call not in again:
                        call.end(error)
                return again
            self._committed = clock.monotonic()
            for call in calls:
                call.end(answers[call])
            break
        return []

    @staticmethod
    def _transact(calls: list[Call], seat: Seat) -> dict[Call, Any]:
        """What becomes of the calls: all at once without savepoints; if one raises, once more with them."""
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
            with seat.transaction(before_commit=check, lasting=lasting) as session:
                after_commit(session, note)
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
        with seat.transaction(before_commit=check) as session:
            return {call: answer for group in groups.values() for call, answer in _done_apart(session, group)}


def _done(session: Session, calls: list[Call]) -> Iterator[tuple[Call, Any]]:
    """What becomes of calls that are done at once."""
    return zip(calls, calls[0].do(session, [call.item for call in calls]), strict=True)


def _part(session: Session) -> None:
    """End one part of a transaction: no call sees another's objects."""
    session.flush()
    session.expunge_all()


def _done_apart(session: Session, calls: list[Call]) -> Iterator[tuple[Call, Any]]:
    """The same, so that a call that raises spoils no other's: of each alone, if they cannot be done at once."""
    callbacks = len(session.info.get("after_commit", ()))
    try:
        with session.begin_nested():
            answers = [*_done(session, calls)]
            _part(session)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - it is the caller's to hear
        session.expunge_all()
        del session.info.get("after_commit", [])[callbacks:]
        if len(calls) == 1:
            answers = [(calls[0], error)]
        else:
            log.warning("not done at once, so one by one", calls=len(calls), error=repr(error)[:500])
            answers = [answer for one in calls for answer in _done_apart(session, [one])]
    yield from answers
