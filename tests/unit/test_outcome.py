"""Judging an attempt: what follows from how it ended, how often it was tried, and its policy."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import outcome
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
from jobs.outcome import Failed, Snoozed, Stopped, Succeeded, TryAgain, Verdict, describe, judge, judge_loss
from jobs.policy import Exponential, Fixed, RetryPolicy
from jobs.states import Reason

HALF_MINUTE = timedelta(seconds=30)
POLICY = RetryPolicy(max_attempts=3, backoff=Fixed(delay=HALF_MINUTE))
CAREFUL = POLICY.model_copy(update={"on_unknown": "fail"})
ASKING = POLICY.model_copy(update={"on_unknown": "confirm"})
HASTY = POLICY.model_copy(update={"deadline": timedelta(minutes=1)})
AGAIN, FOR_GOOD = "again", "for good"


def judged(
    error: BaseException, *, attempt: int = 1, age: timedelta = timedelta(0), policy: RetryPolicy = POLICY
) -> Verdict:
    return judge(error, attempt=attempt, age=age, policy=policy)


ERRORS = [  # error, verdict with attempts left, reason once they are spent
    (Transient("away"), AGAIN, Reason.EXHAUSTED),
    (Ambiguous("no answer"), AGAIN, Reason.EXHAUSTED),
    (TimedOut("too long"), AGAIN, Reason.TIMEOUT),
    (TaskError("of no kind"), AGAIN, Reason.EXHAUSTED),
    (RuntimeError("a bug"), AGAIN, Reason.EXHAUSTED),
    (KeyError("a bug"), AGAIN, Reason.EXHAUSTED),
    (MemoryError(), AGAIN, Reason.EXHAUSTED),
    (SystemExit(1), AGAIN, Reason.EXHAUSTED),
    (Rejected("never"), FOR_GOOD, Reason.REJECTED),
    (Unauthorized("who are you"), FOR_GOOD, Reason.UNAUTHORIZED),
]


@pytest.mark.parametrize("attempt", [1, 2, 3, 4])
@pytest.mark.parametrize(("error", "first", "reason"), ERRORS, ids=lambda v: type(v).__name__)
def test_an_error_is_tried_again_while_attempts_last(error: BaseException, first: str, reason: Reason, attempt: int) -> None:
    verdict = judged(error, attempt=attempt)
    if first is AGAIN and attempt < POLICY.max_attempts:
        assert verdict == TryAgain(HALF_MINUTE, describe(error))
    else:
        assert verdict == Failed(reason, describe(error))


@pytest.mark.parametrize("attempt", [1, 3])
@pytest.mark.parametrize(("error", "first", "reason"), ERRORS, ids=lambda v: type(v).__name__)
def test_a_careful_policy_lets_a_person_look_at_what_may_have_happened(
    error: BaseException, first: str, reason: Reason, attempt: int
) -> None:
    careful, plain = judged(error, attempt=attempt, policy=CAREFUL), judged(error, attempt=attempt)
    if isinstance(error, Ambiguous):
        assert careful == Failed(Reason.UNKNOWN_OUTCOME, describe(error))
    else:
        assert careful == plain


@pytest.mark.parametrize(("error", "first", "reason"), ERRORS, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize(("age", "in_time"), [(0, True), (30, True), (30.001, False), (59, False), (61, False)])
def test_no_attempt_starts_past_the_total_deadline(
    error: BaseException, first: str, reason: Reason, age: float, in_time: bool
) -> None:
    verdict = judged(error, age=timedelta(seconds=age), policy=HASTY)
    if first is AGAIN and in_time:
        assert isinstance(verdict, TryAgain)
    else:
        assert isinstance(verdict, Failed)
        assert verdict.reason is reason
    if first is AGAIN and not in_time:
        assert "deadline" in verdict.error["message"]


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(0, 0), (-5, 0), (7, 7), (3600, 3600), (3601, 3600), (86_400, 3600)],
)
def test_a_retry_after_is_honoured_up_to_its_cap(asked: float, waited: float) -> None:
    verdict = judged(Transient("wait", after=timedelta(seconds=asked)))
    assert isinstance(verdict, TryAgain)
    assert verdict.delay == timedelta(seconds=waited)
    limited = judged(RateLimited("wait", after=timedelta(seconds=asked)))
    assert isinstance(limited, Snoozed)
    assert limited.delay == timedelta(seconds=max(1, waited))


@pytest.mark.parametrize("attempt", [1, 3, 99])
@pytest.mark.parametrize("policy", [POLICY, CAREFUL, ASKING])
@pytest.mark.parametrize(
    "error", [RateLimited("slowly", status=429), LeaseLost("slowly")], ids=lambda error: type(error).__name__
)
def test_what_is_no_fault_of_the_job_spends_no_attempt(error: Exception, attempt: int, policy: RetryPolicy) -> None:
    assert judged(error, attempt=attempt, policy=policy) == Snoozed(HALF_MINUTE, "slowly", describe(error))


def test_a_rate_limit_waits_longer_each_time_if_nobody_says_how_long() -> None:
    growing = RetryPolicy(backoff=Exponential(jitter="none"))
    waits = [judge(RateLimited(), attempt=1, age=timedelta(0), policy=growing, waits=n) for n in range(5)]
    assert [wait.delay.total_seconds() for wait in waits if isinstance(wait, Snoozed)] == [1, 2, 4, 8, 16]


def test_a_rate_limit_ends_with_the_deadline_or_after_a_week() -> None:
    assert isinstance(judged(RateLimited(after=timedelta(seconds=61)), policy=HASTY), Failed)
    assert isinstance(judged(RateLimited(after=timedelta(seconds=60)), policy=HASTY), Snoozed)
    week = timedelta(days=7)
    assert isinstance(judged(RateLimited(), age=week - HALF_MINUTE), Snoozed)
    late = judged(RateLimited("slowly"), age=week)
    assert isinstance(late, Failed)
    assert late.reason is Reason.EXHAUSTED
    assert late.error["message"] == "slowly (and longer than its deadline it cannot wait)"


def test_a_retry_after_past_the_deadline_fails_at_once() -> None:
    assert isinstance(judged(Transient(after=timedelta(seconds=61)), policy=HASTY), Failed)
    assert isinstance(judged(Transient(after=timedelta(seconds=60)), policy=HASTY), TryAgain)


@pytest.mark.parametrize("error", [Ambiguous("no answer"), TimedOut("too long"), Unconfirmed("nobody knows")])
def test_a_policy_that_asks_tries_again_until_nobody_can_be_asked(error: Ambiguous) -> None:
    unknown = Failed(Reason.UNKNOWN_OUTCOME, describe(error))
    assert judged(error, policy=ASKING) == (
        unknown if isinstance(error, Unconfirmed) else TryAgain(HALF_MINUTE, describe(error))
    )
    assert judged(error, policy=ASKING, attempt=3) == unknown
    assert judged(error, policy=CAREFUL) == unknown
    assert judged(error, policy=POLICY) == TryAgain(HALF_MINUTE, describe(error))


@pytest.mark.parametrize("attempt", [1, 3, 99])
@pytest.mark.parametrize("policy", [POLICY, CAREFUL, HASTY])
def test_what_is_no_failure_spends_nothing(attempt: int, policy: RetryPolicy) -> None:
    age = timedelta(days=9)
    receipt = {"id": "ch_1"}
    assert judged(Duplicate(detail=receipt), attempt=attempt, age=age, policy=policy) == Succeeded(
        {"duplicate": True, "detail": receipt}
    )
    assert judged(Snooze(HALF_MINUTE, "rate"), attempt=attempt, age=age, policy=policy) == Snoozed(HALF_MINUTE, "rate")
    assert judged(Snooze(-HALF_MINUTE, "rate"), attempt=attempt, age=age, policy=policy) == Snoozed(timedelta(0), "rate")
    assert judged(Cancelled(), attempt=attempt, age=age, policy=policy) == Stopped()


@pytest.mark.parametrize(
    ("crashes", "policy", "verdict"),
    [
        (1, POLICY, TryAgain),
        (2, POLICY, TryAgain),
        (3, POLICY, Reason.POISON),
        (4, POLICY, Reason.POISON),
        (1, CAREFUL, Reason.UNKNOWN_OUTCOME),
        (1, ASKING, TryAgain),
        (3, CAREFUL, Reason.POISON),
    ],
)
def test_a_lost_worker(crashes: int, policy: RetryPolicy, verdict: type[TryAgain] | Reason) -> None:
    found = judge_loss(crashes=crashes, age=timedelta(0), policy=policy, poison=3)
    if isinstance(found, Failed):
        assert found.reason is verdict
    else:
        assert isinstance(found, TryAgain)
        assert verdict is TryAgain
        assert found.delay == timedelta(0)


def test_a_lost_worker_past_the_deadline_is_not_followed_by_another_attempt() -> None:
    late = judge_loss(crashes=1, age=timedelta(seconds=61), policy=HASTY, poison=3)
    assert isinstance(late, Failed)
    assert late.reason is Reason.EXHAUSTED


def test_what_is_kept_of_an_error() -> None:
    error = Rejected("no such customer", status=404, code="resource_missing", detail={"param": "customer"})
    assert describe(error) == {
        "class": "Rejected",
        "message": "no such customer",
        "status": 404,
        "code": "resource_missing",
        "detail": {"param": "customer"},
    }
    assert describe(ValueError()) == {"class": "ValueError", "message": "ValueError"}
    assert (
        describe(Transient())["message"] == "It did not work this time. `after` is how long the other side asks us to wait."
    )
    assert len(describe(ValueError("x" * 5000))["message"]) == 2000
    assert describe(ValueError("x"), "line\n" * 9000)["traceback"].endswith("line\n")
    assert len(describe(ValueError("x"), "line\n" * 9000)["traceback"]) == 8000


@given(
    attempt=st.integers(1, 1001),
    age=st.timedeltas(timedelta(0), timedelta(days=400)),
    error=st.sampled_from([error for error, _, _ in ERRORS]),
    most=st.integers(1, 1000),
    deadline=st.none() | st.timedeltas(timedelta(0), timedelta(days=365)),
)
def test_judging_never_raises_and_never_exceeds_the_budget(
    attempt: int, age: timedelta, error: BaseException, most: int, deadline: timedelta | None
) -> None:
    policy = RetryPolicy(max_attempts=most, deadline=deadline)
    verdict = judged(error, attempt=attempt, age=age, policy=policy)
    assert isinstance(verdict, outcome.Verdict)
    if isinstance(verdict, TryAgain):
        assert attempt < most
        assert timedelta(0) <= verdict.delay <= timedelta(hours=1)
        assert deadline is None or age + verdict.delay <= deadline
