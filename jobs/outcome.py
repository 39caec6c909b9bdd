"""Judging an attempt: from how it ended, how often it was tried and its policy, to what follows. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from jobs.errors import Ambiguous, Cancelled, Duplicate, Rejected, Snooze, TaskError, TimedOut, Transient, Unauthorized
from jobs.policy import RetryPolicy
from jobs.states import Reason


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
    error: BaseException, *, attempt: int, age: timedelta, policy: RetryPolicy, kept: dict[str, Any] | None = None
) -> Verdict:
    """What follows an attempt that raised.

    Args:
        error: what it raised.
        attempt: its number within the present budget, 1 for the first.
        age: time since the budget began (acceptance, or the last retry by hand).
        policy: the job's own.
        kept: what to keep of the error, if more is known than `describe` finds.
    """
    kept = kept or describe(error)
    match error:
        case Duplicate():
            return Succeeded({"duplicate": True, "detail": error.detail})
        case Snooze():
            return Snoozed(max(error.delay, timedelta(0)), error.why)
        case Cancelled():
            return Stopped()
        case Unauthorized():
            return Failed(Reason.UNAUTHORIZED, kept)
        case Rejected():
            return Failed(Reason.REJECTED, kept)
        case Ambiguous() if policy.on_unknown == "fail":
            return Failed(Reason.UNKNOWN_OUTCOME, kept)
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


def _again_or_fail(error: BaseException, attempt: int, age: timedelta, policy: RetryPolicy, kept: dict[str, Any]) -> Verdict:
    spent = Reason.TIMEOUT if isinstance(error, TimedOut) else Reason.EXHAUSTED
    if attempt >= policy.max_attempts:
        return Failed(spent, kept)
    asked = error.after if isinstance(error, Transient) else None
    delay = policy.backoff.delay(attempt) if asked is None else min(max(asked, timedelta(0)), policy.retry_after_max)
    if policy.deadline is not None and age + delay > policy.deadline:
        return Failed(spent, kept | {"message": f"{kept['message']} (no attempt can start before its total deadline)"})
    return TryAgain(delay, kept)
