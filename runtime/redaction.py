"""Text without the secrets that this process knows, however they came into it: a header, a URL, a body, an exception."""

import base64
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

HIDDEN = "***"
SHORTEST = 5  # characters; what is shorter would tear holes into ordinary words

_known: dict[str, None] = {}  # in order of arrival
_pattern: re.Pattern[str] | None = None


def hide(secrets: Iterable[str]) -> None:
    """From now on these values, and what Basic authentication and URLs make of them, are left out of every scrubbed text."""
    global _pattern  # noqa: PLW0603 - the one pattern of this process
    new = [form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret) if form not in _known]
    if new:
        _known.update(dict.fromkeys(new))
        _pattern = re.compile("|".join(re.escape(form) for form in sorted(_known, key=len, reverse=True)))


def scrub(text: str) -> str:
    """The text with each known secret replaced by three asterisks."""
    return _pattern.sub(HIDDEN, text) if _pattern else text


def scrub_all(value: Any) -> Any:
    """A JSON value, each of its texts scrubbed, keys too."""
    match value:
        case str():
            return scrub(value)
        case dict():
            return {scrub(str(key)): scrub_all(item) for key, item in value.items()}
        case list() | tuple():
            return [scrub_all(item) for item in value]
        case _:
            return value


def _forms(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode()
    return {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], encoded}
