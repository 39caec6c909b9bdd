"""Doing a step outside once, over all attempts of a job; `jobs.receipts` says what is kept of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic_core import to_jsonable_python

from jobs.errors import (
    Ambiguous,
    Cancelled,
    Duplicate,
    LeaseLost,
    RateLimited,
    Rejected,
    Snooze,
    Transient,
    Unconfirmed,
)
from jobs.model import Receipt
from jobs.receipts import Book
from runtime import clock

_NOT_DONE = (Transient, Rejected, Snooze, Cancelled, LeaseLost)


def _nothing() -> None: ...


@dataclass(frozen=True)
class Step:
    """A call to the outside that must not be made twice.

    `before` runs before anything goes out, and may refuse. `confirm` asks the other side how an earlier call ended: the
    result if it was done, None if surely not. It is asked `settled` after that call at the earliest, and `shown` after it at
    the latest: then the other side may have forgotten. A `keyed` call is recognised by the other side: it is made again, and
    an earlier one stays announced until it has succeeded.
    """

    name: str
    call: Callable[[], Any]
    confirm: Callable[[], Any] | None = None
    settled: timedelta = timedelta(0)
    shown: timedelta = timedelta.max
    before: Callable[[], object] = _nothing
    account: str | None = None
    keyed: bool = False


def do(step: Step, book: Book | None, *, at_least_once: bool = False) -> Any:
    """The result of the step, as JSON: from its receipt, the other side, or calling now (without a book, always).

    Raises:
        Unconfirmed: an earlier call may have been made, and there is nobody to ask. With `at_least_once` it is called again.
        Ambiguous: the call, or asking about an earlier one, came to no clear end.
        Snooze: it is too early to ask.
        Exception: what the call raised.
    """
    if book is None:
        step.before()
        return step.call()
    entry = book.find(step.name)
    if entry is not None and entry.done_at is not None:
        return entry.result
    step.before()
    if entry is not None and not step.keyed:
        found = _ask(step, entry, book, at_least_once=at_least_once)
        if found is not None:
            book.intend(step.name, step.account, entry)  # the receipt must be under our own claim
            book.keep(step.name, found)
            return found
    book.intend(step.name, step.account, entry)
    return _call(step, book, again=entry is not None, at_least_once=at_least_once)


def _call(step: Step, book: Book, *, again: bool, at_least_once: bool) -> Any:
    try:
        result = to_jsonable_python(step.call(), fallback=repr, inf_nan_mode="null")
    except Duplicate as error:
        result = {"duplicate": True, "detail": error.detail}
    except _NOT_DONE as error:
        if not step.keyed or (not again and _is_sure(error)):
            book.withdraw(step.name)
        raise
    except Ambiguous as error:
        if step.confirm is None and not step.keyed and not at_least_once:
            raise Unconfirmed(str(error), status=error.status, code=error.code, detail=error.detail) from None
        raise
    book.keep(step.name, result)
    return result


def _is_sure(error: Exception) -> bool:
    """Whether nothing was done by a keyed call. An answer that is Transient may mean: ask again, with the same key."""
    return not isinstance(error, Transient) or isinstance(error, RateLimited) or error.status is None


def _ask(step: Step, entry: Receipt, book: Book, *, at_least_once: bool) -> Any:
    age = clock.now() - entry.intended_at
    if step.confirm is None or age > step.shown:
        if at_least_once or book.was_looked_at(entry.intended_at):
            return None
        raise Unconfirmed(
            f"{step.name} was about to be called at {entry.intended_at:%Y-%m-%d %H:%M:%S} UTC, nothing says how it ended, "
            "and the other side cannot be asked (any more). Look there. If it was not done, retry the job by hand."
        )
    if age < step.settled:
        raise Snooze(step.settled - age, f"it is too early to ask whether {step.name} was done")
    try:
        return to_jsonable_python(step.confirm(), fallback=repr, inf_nan_mode="null")
    except (RateLimited, Snooze, Cancelled, LeaseLost):
        raise
    except Exception as error:
        raise Ambiguous(f"whether {step.name} was done could not be asked: {error}") from error
