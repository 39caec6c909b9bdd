"""Durations as people write them: "30s", "1h30m", "500ms", ISO 8601 ("PT30S") or a number of seconds."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

LONGEST = timedelta(days=3650)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SPELT = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])", re.ASCII)


def parse(value: Any) -> Any:
    """Turn "1h30m" into a timedelta; anything else is left to pydantic (numbers of seconds, ISO 8601).

    Raises:
        ValueError: less than nothing, or more than ten years.
    """
    if isinstance(value, bool):
        raise ValueError('a duration is a text such as "30s" or a number of seconds')  # noqa: TRY004 - pydantic's way
    if isinstance(value, str) and _SPELT.fullmatch(value):
        if len(value) > 40:
            raise ValueError("a duration has at most 40 characters")
        value = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
    if isinstance(value, int | float) and value < 0:  # also one that would round to nothing
        raise ValueError("a duration is not negative")
    if isinstance(value, int | float) and not value <= LONGEST.total_seconds():
        raise ValueError("a duration is at most ten years")
    return value


def _bounded(span: timedelta) -> timedelta:
    if abs(span) > LONGEST:  # ISO 8601 can say more than any clock can count
        raise ValueError("a duration is at most ten years")
    return span


def spell(span: timedelta) -> str:
    """The shortest spelling that `parse` reads back: timedelta(seconds=90) is "1m30s"."""
    milliseconds = round(span.total_seconds() * 1000)
    if milliseconds <= 0:
        return "0s"
    spelt = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        spelt += f"{count}{unit}" if count else ""
    return spelt


Duration = Annotated[
    timedelta,
    BeforeValidator(parse),
    AfterValidator(_bounded),
    PlainSerializer(spell, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "examples": ["30s", "1h30m", "PT30S"], "maxLength": 40},
                {"type": "number", "minimum": 0, "maximum": 315_360_000},
            ],
            "description": 'A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.',
        }
    ),
]
