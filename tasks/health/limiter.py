"""How fast an account may be called, by all workers together: calls at even intervals (GCRA), with a place for who waits."""

import threading
from datetime import timedelta
from typing import NamedTuple, Protocol

from runtime import clock
from runtime.scripts import Away, redis

PATIENCE = 0.5  # seconds for which a call may wait in its worker's slot; who would wait longer goes back to the ledger
MARGIN = 0.97  # of the rate is used: calls get to the provider less evenly than they are let go
QUOTA = 10.0  # seconds: a limit over a longer time is a quota,
AT_ONCE = 0.1  # of which so much may go at once, and the rest evenly
MEMORY = 10.0  # seconds over which the use of the limit is averaged

_RESERVE = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1000000
local interval, slack, patience, memory = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = redis.call('HMGET', KEYS[1], 'next', 'used', 'at')
local next, used, at = tonumber(kept[1] or now), tonumber(kept[2] or 0), tonumber(kept[3] or now)
if next < now or next > now + slack + patience + 2 * interval then next = now end
local wait = next - slack - now
if wait > patience then return {'-1', tostring(wait)} end
used = used * math.exp((at - now) / memory) + 1
redis.call('HSET', KEYS[1], 'next', string.format('%.6f', next + interval),
           'used', tostring(used), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(1000 * (next - now + slack + interval + 10 * memory)))
return {tostring(math.max(wait, 0)), '0'}
"""
_LOOK = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1000000
local kept = redis.call('HMGET', KEYS[1], 'used', 'at')
return {tostring(tonumber(kept[1] or 0) * math.exp((tonumber(kept[2] or now) - now) / tonumber(ARGV[1])))}
"""


class Calls(Protocol):
    """So many calls in so much time."""

    @property
    def number(self) -> int: ...

    @property
    def per(self) -> timedelta: ...


class Interval(NamedTuple):
    """A rate as the limiter keeps it."""

    seconds: float  # between calls
    slack: float  # how far ahead of that they may run

    @classmethod
    def of(cls, rate: Calls) -> "Interval":
        """So that no stretch of the rate's time has more calls than it allows."""
        per = rate.per.total_seconds()
        at_once = max(1, int(rate.number * AT_ONCE)) if per > QUOTA else 1
        seconds = per / max(rate.number - at_once + 1, 1) if per > QUOTA else per / (rate.number * MARGIN)
        return cls(seconds, (at_once - 1) * seconds)


class Wait(Exception):
    """The rate is used up for longer than a call may wait in its slot."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Limiter:
    """Reserves calls. Without Redis each process keeps the rate by itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}

    def reserve(self, account: str, rate: Calls) -> float:
        """The seconds until the call that was just reserved may be made, at most PATIENCE.

        Raises:
            Wait: it would be longer; nothing was reserved.
        """
        interval = Interval.of(rate)
        try:
            granted, refused = map(float, redis.run(_RESERVE, _key(account), *interval, PATIENCE, MEMORY))
        except Away:
            return self._reserve(account, interval)
        if granted < 0:
            raise Wait(refused)
        return granted

    def _reserve(self, account: str, interval: Interval) -> float:
        now = clock.monotonic()
        with self._lock:
            soonest = max(now, self._next.get(account, now))
            wait = soonest - interval.slack - now
            if wait > PATIENCE:
                raise Wait(wait)
            self._next[account] = soonest + interval.seconds
        return max(wait, 0.0)


def used(account: str) -> float | None:
    """Calls a second, averaged over the last ten; None if Redis is away."""
    try:
        return float(redis.run(_LOOK, _key(account), MEMORY)[0]) / MEMORY
    except Away:
        return None


def _key(account: str) -> str:
    return f"treadle:{account}:limiter"


rates = Limiter()
"""The limiter of this process."""
