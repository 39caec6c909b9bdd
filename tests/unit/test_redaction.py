"""No text shows a secret that this process knows."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import redaction
from runtime.redaction import hide, scrub, scrub_all


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", {})
    monkeypatch.setattr(redaction, "_pattern", None)


def test_with_no_secret_known_a_text_stays() -> None:
    assert scrub("nothing to hide") == "nothing to hide"


def test_the_longer_secret_goes_first() -> None:
    hide(["secret", "secret-and-more"])
    assert scrub("secret-and-more, secret") == "***, ***"


def test_a_secret_too_short_is_left_or_every_word_would_be_torn() -> None:
    hide(["a", "test", ""])
    assert scrub("a test") == "a test"


def test_every_part_of_a_value_is_scrubbed() -> None:
    hide(["hunter22"])
    value = {"a": ["hunter22", 1, None, {"hunter22": ("x hunter22",)}], "b": True}
    assert scrub_all(value) == {"a": ["***", 1, None, {"***": ["x ***"]}], "b": True}


@given(st.text(min_size=5, max_size=40).filter(lambda secret: "\0" not in secret))
def test_no_form_of_a_secret_is_shown(secret: str) -> None:
    redaction._known.clear()
    hide([secret])
    for form in (secret, quote(secret, safe=""), repr(secret)[1:-1], base64.b64encode(secret.encode()).decode()):
        assert scrub(f"\0{form}\0") == "\0***\0"
