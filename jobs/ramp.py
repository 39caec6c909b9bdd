"""How many jobs of an account may go after a hold: few at first, soon twice as many, at most its rate. Pure."""

import math

START = 2.0  # jobs a second when a hold has just ended
DOUBLES = 3.0  # seconds in which that rate doubles
FULL = 5000.0  # jobs a second: where the rise ends for an account without a rate
SHARE = 0.94  # of an account's rate goes to the queues: the rest is room for the limiter, which is exact
CATCH_UP = 1.0  # seconds of releases that a late feed makes up for


def pace(rate: float | None, seconds: float, *, steady: bool = False) -> float:
    """Jobs a second, so many seconds after the hold's end; from the first at the full rate if `steady`."""
    full = FULL if rate is None else rate * SHARE
    return full if steady or seconds >= _rise(full) else START * 2 ** (seconds / DOUBLES)


def total(rate: float | None, seconds: float, *, steady: bool = False) -> int:
    """How many jobs may have gone in the first `seconds` after the hold's end: the area below `pace`."""
    full = FULL if rate is None else rate * SHARE
    rise = 0.0 if steady else min(seconds, _rise(full))
    risen = START * DOUBLES / math.log(2) * (2 ** (rise / DOUBLES) - 1)
    return 1 + math.floor(risen + full * (seconds - rise))  # the first goes at once


def _rise(full: float) -> float:
    """Seconds until the full rate is reached."""
    return max(0.0, DOUBLES * math.log2(full / START))
