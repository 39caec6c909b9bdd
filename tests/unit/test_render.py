"""Payloads of schedules, with the due time filled in."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import Invalid
from jobs.schedules import render

AT = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
texts = st.text(max_size=20).filter(lambda text: "{{" not in text)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


def test_the_variables() -> None:
    payload = {"day": "{{tick_date}}", "lines": ["{{ tick_at }} of {{schedule}}", 7, None], "{{schedule}}": True}
    assert render(payload, "nightly", AT) == {
        "day": "2026-03-01",
        "lines": ["2026-03-01T06:30:00Z of nightly", 7, None],
        "{{schedule}}": True,
    }


@pytest.mark.parametrize("payload", ["{{tick}}", {"deep": [{"er": "a {{secret}} b"}]}, "{{ }} {{x}}"])
def test_an_unknown_variable_is_refused(payload: Any) -> None:
    with pytest.raises(Invalid, match="is unknown") as refused:
        render(payload, "nightly", AT)
    assert refused.value.errors[0]["pointer"] == "/payload"


@given(values)
def test_what_has_no_variables_stays_as_it_is(payload: Any) -> None:
    assert render(payload, "nightly", AT) == payload


@given(st.text(max_size=30))
def test_a_name_is_never_read_as_a_variable_or_a_pattern(name: str) -> None:
    assert render("{{schedule}}", name, AT) == name
