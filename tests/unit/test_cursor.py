"""Cursors of lists: opaque, bound to their filter, and harmless when tampered with."""

import base64
from contextlib import suppress
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.cursors import read, write
from jobs.errors import Invalid
from jobs.search import Filter
from jobs.states import State

ANY = Filter()
filters = st.builds(
    Filter,
    state=st.none() | st.sampled_from(State),
    task=st.none() | st.text(max_size=10),
    queue=st.none() | st.text(max_size=10),
    schedule_id=st.none() | st.uuids(),
)


@given(st.uuids(), filters)
def test_a_cursor_reads_back(last: UUID, wanted: Filter) -> None:
    assert read(write(last, wanted), wanted) == last


@given(st.uuids(), filters, filters)
def test_a_cursor_is_bound_to_its_filter(last: UUID, wanted: Filter, other: Filter) -> None:
    if wanted != other:
        with pytest.raises(Invalid, match="another filter"):
            read(write(last, wanted), other)


@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_\-=]{0,80}", fullmatch=True))
def test_what_is_no_cursor_is_refused_in_words(cursor: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(cursor, ANY)
    assert refused.value.errors[0]["pointer"] == "/cursor"


@given(st.data())
def test_a_cursor_with_one_character_changed_never_breaks_anything(data: st.DataObject) -> None:
    cursor = write(uuid4(), ANY)
    place = data.draw(st.integers(0, len(cursor) - 1))
    changed = cursor[:place] + data.draw(st.characters()) + cursor[place + 1 :]
    with suppress(Invalid):
        assert isinstance(read(changed, ANY), UUID)


@pytest.mark.parametrize("inside", ["", "x" * 44, "0" * 31, "0" * 32, "é" * 44, "\x00" * 44])
def test_a_cursor_made_by_hand_is_refused(inside: str) -> None:
    with pytest.raises(Invalid):
        read(base64.urlsafe_b64encode(inside.encode()).decode(), ANY)
