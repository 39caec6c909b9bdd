"""The health of an account, as all workers see it: how fast it may be called, and whether it answers.

A task's wrapper asks `admit` before each call and tells `report` how it ended. What follows for the account's other jobs is
a hold in the ledger (`jobs.holds`). The figures that lead to it are in Redis; without Redis each process goes by its own.
"""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import structlog
from sqlalchemy.orm import Session

from jobs import holds
from jobs.errors import Ambiguous, RateLimited, Snooze, TaskError, Transient, Unauthorized
from jobs.model import Cause, Hold
from runtime import clock, metrics
from runtime.database import Unavailable, transaction
from runtime.settings import settings
from tasks.context import current
from tasks.health.circuit import Said, counts
from tasks.health.limiter import Calls, Wait, rates

log = structlog.get_logger()

LONGEST_WAIT = timedelta(days=1)  # that a provider can ask of an account
LATE = 0.04  # seconds: a call whose process was held up so long lets its place go, since late calls come in a crowd
TRIES = 5
FORBIDDEN = 403  # says no to one call; the account may be well for others


class Account(Protocol):
    """What is known here of an account."""

    @property
    def name(self) -> str: ...

    @property
    def rate(self) -> Calls | None: ...


Probe = Callable[[], TaskError | None]
"""Makes a call without effects, and returns what went wrong with it."""


def admit(account: Account, probe: Probe | None = None) -> None:
    """Wait until the account may be called, for half a second at most.

    The attempt that an open circuit chose as its probe makes the call of `probe` first, if there is one.

    Raises:
        Snooze: it is held, or its rate is used up for longer; the job waits with it.
    """
    hold = holds.memory.find(account.name)
    if hold is not None and _stops(hold):
        hold = holds.memory.find(account.name, fresh=True)
        if hold is not None and _stops(hold):
            _only_the_probe(hold, account, probe)
    if account.rate is not None:
        _in_turn(account, account.rate)


def report(account: Account, error: TaskError | None, elapsed: timedelta) -> None:
    """Tell how a call ended, and how long it took.

    If the account is held because of it, `error.account` names the account: the job waits with it and spends no attempt.
    """
    metrics.account_calls.labels(account.name, type(error).__name__ if error else "Succeeded").inc()
    metrics.account_seconds.labels(account.name).observe(elapsed.total_seconds())
    if isinstance(error, RateLimited):
        _asked(account, error)
    elif isinstance(error, Transient | Ambiguous | Unauthorized):
        _failed(account, error, elapsed)
    else:
        counts.count(account.name, failed=False, took=elapsed.total_seconds())
        if _is_probe(holds.memory.find(account.name)):
            lift(account)


def volunteer(account: str) -> bool:
    """Make the job of this attempt the probe of an account whose circuit is open. False if it is not time for one."""
    hold = holds.memory.find(account)
    if hold is None or hold.cause is not Cause.CIRCUIT or hold.until > clock.now():
        return False
    return _write(account, lambda session: holds.volunteer(session, account, current().job_id))


def lift(account: Account) -> None:
    """The account answers: let its jobs go."""
    if _write(account.name, lambda session: holds.lift(session, account.name)):
        log.info("an account is well again", account=account.name)


def _stops(hold: Hold) -> bool:
    return hold.cause is Cause.CIRCUIT or hold.until > clock.now()


def _is_probe(hold: Hold | None) -> bool:
    try:
        return hold is not None and hold.cause is Cause.CIRCUIT and hold.probe == current().job_id
    except LookupError:  # no job: the call of a test, or of a person
        return False


def _only_the_probe(hold: Hold, account: Account, probe: Probe | None) -> None:
    if not _is_probe(hold):
        raise Snooze(hold.until - clock.now(), hold.why, account.name)
    if probe is None:
        return
    started = clock.monotonic()
    error = probe()
    report(account, error, timedelta(seconds=clock.monotonic() - started))
    if error is not None:
        raise Snooze(settings().circuit_open, f"{account.name}: {error}", account.name)


def _in_turn(account: Account, rate: Calls) -> None:
    metrics.account_limit.labels(account.name).set(_a_second(rate))
    try:
        for _ in range(TRIES):
            due = clock.monotonic() + (wait := rates.reserve(account.name, rate))
            if wait > 0:
                threading.Event().wait(wait)
            if clock.monotonic() < due + LATE:
                break
    except Wait as full:
        why = f"{account.name} is at its rate of {rate.number} calls in {rate.per.total_seconds():g} s"
        if holds.memory.find(account.name) is None:
            _write(account.name, lambda session: holds.pace(session, account.name, why, _a_second(rate)))
        raise Snooze(timedelta(seconds=full.seconds), why, account.name) from None


def _asked(account: Account, error: RateLimited) -> None:
    span = None if error.after is None else min(error.after, LONGEST_WAIT)
    why = f"{account.name} asked us to wait: {error}"
    _write(account.name, lambda session: holds.wait(session, account.name, why, _rate(account), span))
    error.account = account.name


def _failed(account: Account, error: TaskError, elapsed: timedelta) -> None:
    first, most = settings().circuit_open, settings().circuit_open_max
    refused = isinstance(error, Unauthorized) and error.status != FORBIDDEN
    said = counts.count(account.name, failed=True, took=elapsed.total_seconds(), words=str(error)[:500])
    hold, why = holds.memory.find(account.name, fresh=True), f"{account.name} fails: {error}"
    if _is_probe(hold):
        _write(account.name, lambda session: holds.fail_probe(session, account.name, why, first, most))
        error.account = account.name
    elif said is Said.LATE or (hold is not None and hold.cause is Cause.CIRCUIT):
        error.account = None if refused else account.name
    elif refused or said is Said.OPEN:
        _write(account.name, lambda session: holds.open_circuit(session, account.name, why, _rate(account), first, most))
        log.warning("an account's circuit opens", account=account.name, why=str(error)[:300])
        error.account = None if refused else account.name


def _rate(account: Account) -> float | None:
    return None if account.rate is None else _a_second(account.rate)


def _a_second(rate: Calls) -> float:
    return rate.number / rate.per.total_seconds()


def _write(account: str, change: Callable[[Session], object]) -> bool:
    """Change the account's hold. With the database away nothing is claimed either, so nothing needs holding."""
    try:
        with transaction() as session:
            changed = bool(change(session))
    except Unavailable as error:
        log.warning("a hold was not written: the database is away", account=account, error=str(error)[:300])
        return False
    holds.memory.find(account, fresh=True)
    return changed
