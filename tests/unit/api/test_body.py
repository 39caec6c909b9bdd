"""Reading a body: JSON as RFC 8259 and I-JSON mean it, and nothing that a database or another reader chokes on."""

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.body import DEEPEST, read
from api.problems import Refused

everything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def refusal(body: bytes) -> str:
    with pytest.raises(Refused) as refused:
        read(body)
    assert refused.value.kind == "malformed-request"
    return refused.value.detail


@given(everything)
def test_every_json_value_is_read_as_it_is(value: Any) -> None:
    assert read(json.dumps(value).encode()) == value
    assert read(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary() | st.text().map(str.encode))
def test_bytes_are_read_or_refused_in_words(body: bytes) -> None:
    with suppress(Refused):
        value = read(body)
        assert read(json.dumps(value, allow_nan=False).encode()) == value


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"\xff", "not Unicode"),
        (b'"\xed\xa0\x80"', "not Unicode"),
        (b'"\xc0\xaf"', "not Unicode"),
        (b'"\\ud800"', "not Unicode"),
        (b'"\\uDFFF"', "not Unicode"),
        (b'"\\ude00\\ud83d"', "not Unicode"),
        (b'{"\\ud800": 1}', "not Unicode"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"NaN", "NaN is not a JSON number"),
        (b"[Infinity]", "Infinity is not a JSON number"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON number"),
        (b"1e400", "1e400 is too large for a number"),
        (b"[-1e999]", "-1e999 is too large for a number"),
        (b"9" * 4301, "4300 digits"),
        (b'{"a": 1, "a": 1}', "a name stands twice"),
        (b'[{"b": {"a": 1, "\\u0061": 1}}]', "a name stands twice"),
        (b"{} {}", "Extra data"),
        (b"01", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'"\t"', "control character"),
        (b"[" * 200_000, "deeper than 64"),
        (b'{"a":' * 200_000, "deeper than 64"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "deeper than 64"),
        (b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1), "deeper than 64"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_what_is_refused_is_refused_for_its_reason(body: bytes, words: str) -> None:
    assert words in refusal(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"null", None),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\\\ud800"', "\\ud800"),
        (b'"\\u0000"', "\x00"),
        (b"9" * 4300, int("9" * 4300)),
        (b"-0.0", -0.0),
        (b"1e308", 1e308),
        (b"1e-400", 0.0),
        (b'{"a": {"a": 1}}', {"a": {"a": 1}}),
        (b" [1 , 2]\r\n", [1, 2]),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_only_looks_wrong_is_read(body: bytes, value: Any) -> None:
    assert read(body) == value


def test_the_deepest_nesting_is_read() -> None:
    found = read(b"[" * DEEPEST + b"]" * DEEPEST)
    assert json.dumps(found) == "[" * DEEPEST + "]" * DEEPEST


def test_minus_zero_keeps_its_sign() -> None:
    assert math.copysign(1, read(b"-0.0")) == -1
