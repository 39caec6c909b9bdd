"""Headers that come with a request: Idempotency-Key, bare or as a structured string, and traceparent."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dependencies import _traceparent
from api.idempotency import _read, in_flight
from api.problems import Refused

visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)


def key(header: str | None) -> str | None:
    return asyncio.run(_read(header))


@given(visible.filter(lambda text: not (len(text) > 1 and text[0] == text[-1] == '"')))
def test_a_key_is_the_same_with_and_without_quotes(text: str) -> None:
    assert key(text) == key(f'"{text}"') == text


def test_without_the_header_there_is_none() -> None:
    assert key(None) is None


@pytest.mark.parametrize(
    "header", ["", '""', " ", "a b", "a\tb", "é", "\x7f", "\x00", "a" * 256, '"' + "a" * 256 + '"', '"a b"', "\xff", "💩"]
)
def test_what_is_no_key_is_refused(header: str) -> None:
    with pytest.raises(Refused, match="1 to 255 visible ASCII") as refused:
        key(header)
    assert refused.value.kind == "malformed-request"


@pytest.mark.parametrize(
    "header", ['"', "a", "a" * 255, '"' + "a" * 255 + '"', 'say"it', "8e03978e-40d5-43e8-bc93-6894a57f9324"]
)
def test_the_shortest_and_the_longest_are_taken(header: str) -> None:
    assert key(header) == (header[1:-1] if len(header) > 1 and header[0] == '"' else header)


SOUND = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (SOUND, SOUND),
        (None, None),
        ("", None),
        (SOUND.upper(), None),
        (SOUND + "-x", None),
        (f" {SOUND}", None),
        ("é" * 55, None),
    ],
)
def test_a_traceparent_is_kept_if_it_is_one_and_else_forgotten(header: str | None, kept: str | None) -> None:
    assert asyncio.run(_traceparent(header)) == kept


def test_a_key_is_in_flight_until_its_request_is_answered() -> None:
    with in_flight("ours", "k"):
        with pytest.raises(Refused) as refused, in_flight("ours", "k"):
            pytest.fail("two requests with one key at once")
        assert (refused.value.kind, refused.value.headers) == ("in-flight", {"Retry-After": "1"})
        with in_flight("theirs", "k"), in_flight("ours", "another"), in_flight("ours", None), in_flight("ours", None):
            pass
    with pytest.raises(KeyError), in_flight("ours", "k"):
        raise KeyError
    with in_flight("ours", "k"):
        pass
