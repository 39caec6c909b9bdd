"""How many calls may be made in how much time: "50/s", "100/15m", "500/d"."""

import re
from datetime import timedelta
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, PlainSerializer

from runtime.duration import Duration, parse, spell

_SPELT = re.compile(r"(\d{1,9})/((?:\d+)?(?:ms|[smhdw]))", re.ASCII)
_ONE = re.compile(r"^1(?=[a-z]+$)")


class Calls(NamedTuple):
    """So many calls in so much time."""

    number: int
    per: Duration

    @property
    def a_second(self) -> float:
        """The average."""
        return self.number / self.per.total_seconds()


def _read(value: Any) -> Any:
    match = _SPELT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        if isinstance(value, Calls):
            return value
        raise ValueError('a rate reads "50/s", "100/15m" or "500/d"')
    calls = Calls(int(match[1]), timedelta(seconds=parse(match[2] if match[2][0].isdigit() else f"1{match[2]}")))
    if not calls.number or not calls.per:
        raise ValueError("a rate is more than nothing")
    return calls


def _spell(calls: Calls) -> str:
    return f"{calls.number}/{_ONE.sub('', spell(calls.per))}"


def rate(spelt: str) -> Calls:
    """Read a rate. Raises ValueError if it is none."""
    calls: Calls = _read(spelt)
    return calls


Rate = Annotated[Calls, BeforeValidator(_read), PlainSerializer(_spell, return_type=str)]
