"""How long to wait between attempts, and how policies are written down."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jobs.policy import Exponential, Fixed, Listed, RetryPolicy

attempts = st.integers(1, 1000)
spans = st.integers(0, 86_400_000).map(lambda milliseconds: timedelta(milliseconds=milliseconds))
factors = st.floats(1, 100)
exponentials = st.builds(Exponential, initial=spans, max=spans, factor=factors, jitter=st.sampled_from(["full", "none"]))
fixed = st.builds(Fixed, delay=spans)
listed = st.builds(Listed, delays=st.lists(spans, min_size=1, max_size=100).map(tuple))
policies = st.builds(
    RetryPolicy,
    max_attempts=attempts,
    backoff=exponentials | fixed | listed,
    deadline=st.none() | spans,
    retry_after_max=spans,
    on_unknown=st.sampled_from(["retry", "fail"]),
)


def ceiling(shape: Exponential, attempt: int) -> float:
    """What the wait grows to, without jitter."""
    try:
        grown = shape.initial.total_seconds() * shape.factor ** (attempt - 1)
    except OverflowError:
        grown = float("inf")  # also of nothing: so tenacity decides, and the cap holds
    return min(grown, shape.max.total_seconds())


@given(shape=exponentials, attempt=attempts)
def test_an_exponential_wait_stays_below_its_curve_and_its_cap(shape: Exponential, attempt: int) -> None:
    delay = shape.delay(attempt).total_seconds()
    assert 0 <= delay <= ceiling(shape, attempt) + 1e-5
    if shape.jitter == "none":
        assert delay == pytest.approx(ceiling(shape, attempt), abs=1e-5)


def test_full_jitter_uses_the_whole_range() -> None:
    shape = Exponential(initial=timedelta(seconds=10), factor=2, max=timedelta(hours=1))
    delays = [shape.delay(3).total_seconds() for _ in range(400)]
    assert min(delays) < 8
    assert max(delays) > 32
    assert max(delays) <= 40


def test_the_documented_curve() -> None:
    shape = Exponential(initial=timedelta(seconds=1), factor=2, max=timedelta(seconds=10), jitter="none")
    assert [shape.delay(n).total_seconds() for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]


@given(shape=fixed, attempt=attempts)
def test_a_fixed_wait_is_always_the_same(shape: Fixed, attempt: int) -> None:
    assert shape.delay(attempt) == shape.delay_each


@given(shape=listed, attempt=attempts)
def test_listed_waits_come_in_order_and_the_last_repeats(shape: Listed, attempt: int) -> None:
    assert shape.delay(attempt) == shape.delays[min(attempt, len(shape.delays)) - 1]


@given(policy=policies)
def test_a_policy_reads_back_as_it_was_written(policy: RetryPolicy) -> None:
    assert RetryPolicy.model_validate(policy.model_dump(mode="json")) == policy
    assert RetryPolicy.model_validate_json(policy.model_dump_json()) == policy


def test_changes_replace_only_what_they_set() -> None:
    base = RetryPolicy(max_attempts=5, on_unknown="fail")
    assert base.as_json["max_attempts"] == 5
    assert base.with_changes(None) is base
    changed = base.with_changes(RetryPolicy(max_attempts=2, deadline=None))
    assert changed == RetryPolicy(max_attempts=2, on_unknown="fail")
    assert changed.as_json["max_attempts"] == 2, "not what its model was as JSON"
    assert base.with_changes(RetryPolicy(max_attempts=8)).max_attempts == 8


def test_a_copy_is_written_as_the_copy_is() -> None:
    base = RetryPolicy(on_unknown="fail")
    assert base.as_json["on_unknown"] == "fail"
    assert base.model_copy(update={"on_unknown": "confirm"}).as_json["on_unknown"] == "confirm"


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_attempts": 0},
        {"max_attempts": 1001},
        {"deadline": "-1s"},
        {"deadline": "366d"},
        {"deadline": True},
        {"retry_after_max": "tomorrow"},
        {"on_unknown": "hope"},
        {"backoff": {"kind": "guess"}},
        {"backoff": {"initial": "1s"}},
        {"backoff": {"kind": "exponential", "factor": 0.5}},
        {"backoff": {"kind": "exponential", "initial": "1s", "step": 3}},
        {"backoff": {"kind": "schedule", "delays": []}},
        {"backoff": {"kind": "schedule", "delays": ["1s"] * 101}},
        {"backoff": {"kind": "fixed", "delay": "2y"}},
        {"tries": 3},
    ],
)
def test_a_policy_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RetryPolicy.model_validate(wrong)


def test_a_policy_as_people_write_it() -> None:
    policy = RetryPolicy.model_validate(
        {"max_attempts": 4, "backoff": {"kind": "schedule", "delays": ["5s", "1m30s", 7200]}, "deadline": "P1D"}
    )
    assert policy.backoff == Listed(delays=(timedelta(seconds=5), timedelta(seconds=90), timedelta(hours=2)))
    assert policy.deadline == timedelta(days=1)
    assert RetryPolicy.model_validate({"backoff": {"kind": "fixed", "delay": "5s"}}).backoff == Fixed(
        delay=timedelta(seconds=5)
    )
