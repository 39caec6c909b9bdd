"""Judging an attempt: from how it ended, how often it was tried and its policy, to what follows. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from jobs.errors import (
    Ambiguous,
    Cancelled,
    Duplicate,
    LeaseLost,
    RateLimited,
    Rejected,
    Snooze,
    TaskError,
    TimedOut,
    Transient,
    Unauthorized,
    Unconfirmed,
)
from jobs.policy import RetryPolicy
from jobs.states import Reason

PATIENCE = timedelta(days=7)
"""How long a job that names no total deadline puts up with being told to come back later."""

LEAST = timedelta(seconds=1)
"""The shortest wait for a rate limit, whatever the other side says: such a job is not bounded by its attempts."""


@dataclass(frozen=True)
class Succeeded:
    """It worked."""

    result: Any = None


@dataclass(frozen=True)
class TryAgain:
    """Another attempt, `delay` from now."""

    delay: timedelta
    error: dict[str, Any]


@dataclass(frozen=True)
class Snoozed:
    """Come back, `delay` from now; no attempt spent."""

    delay: timedelta
    why: str
    error: dict[str, Any] | None = None
    account: str | None = None  # held: a job of it, or of none that was known, waits with it and keeps its place


@dataclass(frozen=True)
class Failed:
    """For good."""

    reason: Reason
    error: dict[str, Any]


@dataclass(frozen=True)
class Stopped:
    """Cancelled, and the task gave way."""


Verdict = Succeeded | TryAgain | Snoozed | Failed | Stopped


def describe(error: BaseException, traceback: str | None = None) -> dict[str, Any]:
    """What is kept of an exception: its class, its words, the other side's status and code, the traceback if given."""
    kept: dict[str, Any] = {"class": type(error).__name__, "message": str(error)[:2000] or type(error).__name__}
    if isinstance(error, TaskError):
        kept |= {name: value for name in ("status", "code", "detail") if (value := getattr(error, name)) is not None}
    if traceback:
        kept["traceback"] = traceback[-8000:]
    return kept


def judge(
    error: BaseException,
    *,
    attempt: int,
    age: timedelta,
    policy: RetryPolicy,
    kept: dict[str, Any] | None = None,
    waits: int = 0,
) -> Verdict:
    """What follows an attempt that raised.

    Args:
        error: what it raised.
        attempt: its number within the present budget, 1 for the first.
        age: time since the budget began (acceptance, or the last retry by hand).
        policy: the job's own.
        kept: what to keep of the error, if more is known than `describe` finds.
        waits: how often the budget's attempts were put off, and so not counted.
    """
    kept = kept or describe(error)
    match error:
        case Duplicate():
            return Succeeded({"duplicate": True, "detail": error.detail})
        case Snooze():
            return Snoozed(max(error.delay, timedelta(0)), error.why, account=error.account)
        case Cancelled():
            return Stopped()
        case Ambiguous() if policy.on_unknown in _given_up(error):
            return Failed(Reason.UNKNOWN_OUTCOME, kept)
        case RateLimited() | TaskError(account=str()) | LeaseLost():
            return _later_or_fail(error, attempt + waits, age, policy, kept)
        case Unauthorized():
            return Failed(Reason.UNAUTHORIZED, kept)
        case Rejected():
            return Failed(Reason.REJECTED, kept)
        case _:
            return _again_or_fail(error, attempt, age, policy, kept)


def judge_loss(*, crashes: int, age: timedelta, policy: RetryPolicy, poison: int) -> Verdict:
    """What follows an attempt whose worker died, `crashes` counting this one where the job itself may be to blame."""
    kept: dict[str, Any] = {"class": "WorkerLost", "message": "the worker process died during this attempt"}
    if crashes >= poison:
        return Failed(Reason.POISON, kept | {"message": f"the job killed its worker {crashes} times"})
    if policy.on_unknown == "fail":
        return Failed(Reason.UNKNOWN_OUTCOME, kept)
    if policy.deadline is not None and age > policy.deadline:
        return Failed(Reason.EXHAUSTED, kept | {"message": f"{kept['message']} (its total deadline has passed)"})
    return TryAgain(timedelta(0), kept)


def _given_up(error: Ambiguous) -> set[str]:
    """The values of on_unknown under which nothing but a person's look can follow."""
    return {"fail", "confirm"} if isinstance(error, Unconfirmed) else {"fail"}


def _later_or_fail(
    error: TaskError | LeaseLost, tries: int, age: timedelta, policy: RetryPolicy, kept: dict[str, Any]
) -> Verdict:
    """What is no fault of the job (a rate limit, an account, its worker) spends no attempt; so time alone bounds it."""
    delay = max(_delay(error, tries, policy), LEAST)
    if age + delay > (PATIENCE if policy.deadline is None else policy.deadline):
        return Failed(
            Reason.EXHAUSTED, kept | {"message": f"{kept['message']} (and longer than its deadline it cannot wait)"}
        )
    return Snoozed(delay, kept["message"], kept, error.account if isinstance(error, TaskError) else None)


def _delay(error: BaseException, tries: int, policy: RetryPolicy) -> timedelta:
    asked = error.after if isinstance(error, Transient) else None
    return policy.backoff.delay(tries) if asked is None else min(max(asked, timedelta(0)), policy.retry_after_max)


def _spent(error: BaseException, policy: RetryPolicy) -> Reason:
    if isinstance(error, Ambiguous) and policy.on_unknown == "confirm":
        return Reason.UNKNOWN_OUTCOME
    return Reason.TIMEOUT if isinstance(error, TimedOut) else Reason.EXHAUSTED


def _again_or_fail(error: BaseException, attempt: int, age: timedelta, policy: RetryPolicy, kept: dict[str, Any]) -> Verdict:
    spent = _spent(error, policy)
    if attempt >= policy.max_attempts:
        return Failed(spent, kept)
    delay = _delay(error, attempt, policy)
    if policy.deadline is not None and age + delay > policy.deadline:
        return Failed(spent, kept | {"message": f"{kept['message']} (no attempt can start before its total deadline)"})
    return TryAgain(delay, kept)
