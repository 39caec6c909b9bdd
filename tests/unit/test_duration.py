"""Durations as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from runtime.duration import Duration, spell

reader: TypeAdapter[timedelta] = TypeAdapter(Duration)
TEN_YEARS = timedelta(seconds=315_360_000)


@given(st.integers(0, int(TEN_YEARS.total_seconds()) * 1000).map(lambda ms: timedelta(milliseconds=ms)))
def test_a_span_reads_back_as_it_was_spelt(span: timedelta) -> None:
    assert reader.validate_python(spell(span)) == span
    assert reader.validate_json(reader.dump_json(span)) == span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30), ("1h30m", 5400), ("500ms", 0.5), ("1.5h", 5400), ("7d", 604_800), ("2w", 1_209_600), ("0s", 0),
        ("PT30S", 30), ("P1D", 86_400), ("1m1m", 120), (90, 90), (0.25, 0.25), ("00:01:00", 60),
    ],
)  # fmt: skip
def test_the_spellings(text: object, seconds: float) -> None:
    assert reader.validate_python(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "wrong",
    [
        True, False, "", "s", "1 h", "h1", "1y", "-1h", "1h-1m", "٣s", "1e3s", None, [], {}, 1e18, float("nan"),
        float("inf"), -2, -1e-7, "9" * 39 + "s", "1s" * 30, "3651d",
    ],
)  # fmt: skip
def test_what_is_no_duration(wrong: object) -> None:
    with pytest.raises(ValidationError):
        reader.validate_python(wrong)


@given(st.text(max_size=60) | st.floats() | st.integers() | st.binary(max_size=10))
def test_reading_never_raises_anything_but_a_validation_error(value: object) -> None:
    try:
        span = reader.validate_python(value)
    except ValidationError:
        return
    assert isinstance(span, timedelta)


@pytest.mark.parametrize("text", ["P4000D", "P999999999D", "3651 days, 00:00:00"])
def test_no_spelling_is_longer_than_ten_years(text: str) -> None:
    with pytest.raises(ValidationError):
        reader.validate_python(text)


@pytest.mark.parametrize(
    ("seconds", "spelt"), [(90, "1m30s"), (0, "0s"), (-5, "0s"), (0.0004, "0s"), (86_400, "1d"), (0.5, "500ms")]
)
def test_the_shortest_spelling(seconds: float, spelt: str) -> None:
    assert spell(timedelta(seconds=seconds)) == spelt
