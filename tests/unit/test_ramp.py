"""The pace after a hold: few at first, twice as many every few seconds, never more than the rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import ramp

rates = st.none() | st.floats(0.001, 20_000)
seconds = st.floats(0, 100_000)


@given(rates, seconds, seconds, st.booleans())
def test_the_longer_ago_the_hold_ended_the_more_may_have_gone(
    rate: float | None, one: float, other: float, steady: bool
) -> None:
    sooner, later = sorted((one, other))
    assert ramp.total(rate, sooner, steady=steady) <= ramp.total(rate, later, steady=steady)
    assert ramp.pace(rate, sooner, steady=steady) <= ramp.pace(rate, later, steady=steady) * (1 + 1e-9)


@given(st.floats(0.001, 20_000), seconds, st.booleans())
def test_no_more_go_than_the_rate_allows(rate: float, after: float, steady: bool) -> None:
    assert ramp.total(rate, after, steady=steady) <= 1 + rate * ramp.SHARE * after + 1e-6


@pytest.mark.parametrize("rate", [None, 0.5, 2.0, 50.0, 20_000.0])
def test_the_total_is_what_the_pace_adds_up_to(rate: float | None) -> None:
    step = 0.001
    added = sum(ramp.pace(rate, number * step) * step for number in range(20_000))
    assert ramp.total(rate, 20) == pytest.approx(1 + added, rel=0.01, abs=1)


def test_an_account_without_a_rate_drains_five_thousand_jobs_within_half_a_minute() -> None:
    assert [ramp.total(None, after) for after in (0, 3, 9, 27, 30)] == [1, 9, 61, 4424, 8856]


def test_a_steady_account_goes_at_its_rate_from_the_first() -> None:
    assert ramp.total(50, 10, steady=True) == 1 + 470
    assert ramp.total(50, 10) < 300
