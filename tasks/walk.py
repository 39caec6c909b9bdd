"""One attempt going along the accounts of a capability, with one call at most to each.

It goes on where surely nothing was done: the account is held or not configured, cannot be reached, asks us to wait, or does
not accept our credentials. It never goes on after an answer, or a silence, that may stand for something done.

A held account is passed by, but for a job that waited with it and was let go, and for one that probes an open circuit whose
time is over: the account would not be found well again if all went by another. One that is only slowed to its rate is asked
as far as the rate allows. If all are held, the job waits for the first that is free. It is parked with an account only where
that lets jobs go; with one whose circuit is open it might wait longer than for another.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from jobs import holds
from jobs.errors import RateLimited, Rejected, Snooze, Transient, Unauthorized
from jobs.model import Cause
from runtime import clock
from tasks import health
from tasks.context import Context

LEAST = timedelta(seconds=1)


class Unfit(Rejected):
    """An account that cannot be asked at all: it is not configured, or its provider takes no such payload."""


def walk(accounts: Sequence[str], do: Callable[[str], Any], is_open: Callable[[], bool], context: Context) -> Any:
    """The result of the first account that can. `is_open` says whether a call stands announced that may have been made.

    Raises:
        Snooze: all that may be asked are held; it spends no attempt.
        Transient, Unauthorized, Rejected: nothing was done by any.
        Exception: what the one raised that may have done something, or said no.
    """
    if len(accounts) == 1:
        return do(accounts[0])
    said: dict[str, Exception] = {}
    for account in accounts:
        try:
            _pass_by_if_held(account, context)
            return do(account)
        except (Snooze, Transient, Unauthorized, Unfit) as error:
            if is_open():
                raise
            said[account] = error
            context.log(f"{account} is passed by: {error}")
    raise _end(said)


def _pass_by_if_held(account: str, context: Context) -> None:
    hold = holds.memory.find(account)
    if hold is None or hold.cause is Cause.RATE or context.account == account:
        return
    if not health.volunteer(account):
        raise Snooze(max(hold.until - clock.now(), timedelta(0)), hold.why, account)


def _end(said: dict[str, Exception]) -> Exception:
    """What follows when all were passed by: a failure that counts, else waiting, else what cannot be mended by waiting."""
    for error in said.values():
        if isinstance(error, Transient) and not isinstance(error, RateLimited) and error.account is None:
            return error
    waiting = [account for account, error in said.items() if isinstance(error, Snooze) or _waits(error)]
    if waiting:
        return min((_wait(account, said[account]) for account in waiting), key=lambda snooze: snooze.delay)
    return next((error for error in said.values() if isinstance(error, Unauthorized)), *list(said.values())[:1])


def _waits(error: Exception) -> bool:
    return isinstance(error, RateLimited) or getattr(error, "account", None) is not None


def _wait(account: str, error: Exception) -> Snooze:
    hold, now = holds.memory.find(account), clock.now()
    if hold is not None and hold.cause is not Cause.CIRCUIT and hold.until <= now:
        return Snooze(timedelta(0), hold.why, account)
    if hold is not None:
        return Snooze(max(hold.until - now, LEAST), hold.why)
    asked = error.delay if isinstance(error, Snooze) else getattr(error, "after", None)
    return Snooze(max(asked or LEAST, LEAST), str(error))
