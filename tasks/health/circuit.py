"""Whether an account's calls keep failing: counted by all workers together, older calls for less."""

import threading
from dataclasses import dataclass, field
from enum import IntEnum

from runtime import clock
from runtime.scripts import Away, redis

ROW = 10  # failures in a row that open a circuit;
SHARE = 0.7  # or this part of all calls,
LEAST = 10  # if there were as many;
HALF_LIFE = 150.0  # seconds after which a call counts half, so that five minutes count for most

_COUNT = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1000000
local failed, took, words, row_limit, share, least, half = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]),
  tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local kept = redis.call('HMGET', KEYS[1], 'calls', 'failures', 'row', 'at', 'opened')
local at = tonumber(kept[4] or now)
local fade = 0.5 ^ ((now - at) / half)
local calls, failures, row = tonumber(kept[1] or 0) * fade, tonumber(kept[2] or 0) * fade, tonumber(kept[3] or 0)
local said = 0
if failed == 1 then
  redis.call('HSET', KEYS[1], 'error', words, 'error_at', string.format('%.3f', now))
end
if now - took < tonumber(kept[5] or 0) then
  said = 2
else
  calls, failures, row = calls + 1, failures + failed, (row + 1) * failed
  if failed == 1 and (row >= row_limit or (calls >= least - 0.5 and failures >= share * calls)) then
    calls, failures, row, said = 0, 0, 0, 1
    redis.call('HSET', KEYS[1], 'opened', string.format('%.6f', now))
  end
  redis.call('HSET', KEYS[1], 'calls', tostring(calls), 'failures', tostring(failures), 'row', row,
             'at', string.format('%.6f', now))
end
redis.call('EXPIRE', KEYS[1], 86400)
return {said}
"""
_LAST = "return redis.call('HMGET', KEYS[1], 'error', 'error_at')"


class Said(IntEnum):
    """What follows from a call that was counted."""

    NOTHING = 0
    OPEN = 1  # the circuit must open; it is said once, and counting begins anew
    LATE = 2  # the call began before the circuit opened last, and counts no more


@dataclass
class Count:
    """What one process counts by itself while Redis is away: the same figures as in the script."""

    calls: float = 0.0
    failures: float = 0.0
    row: int = 0
    at: float = field(default_factory=clock.monotonic)
    opened: float = float("-inf")

    def add(self, *, failed: bool, took: float) -> Said:
        """Count a call."""
        now = clock.monotonic()
        fade = 0.5 ** ((now - self.at) / HALF_LIFE)
        self.calls, self.failures, self.at = self.calls * fade, self.failures * fade, now
        if now - took < self.opened:
            return Said.LATE
        self.calls, self.failures, self.row = self.calls + 1, self.failures + failed, (self.row + 1) * failed
        if failed and (self.row >= ROW or (self.calls >= LEAST - 0.5 and self.failures >= SHARE * self.calls)):
            self.calls, self.failures, self.row, self.opened = 0.0, 0.0, 0, now
            return Said.OPEN
        return Said.NOTHING


class Circuits:
    """The counts of all accounts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own: dict[str, Count] = {}

    def count(self, account: str, *, failed: bool, took: float, words: str = "") -> Said:
        """Count a call that took so many seconds."""
        try:
            said = redis.run(_COUNT, _key(account), int(failed), took, words, ROW, SHARE, LEAST, HALF_LIFE)[0]
        except Away:
            with self._lock:
                return self._own.setdefault(account, Count()).add(failed=failed, took=took)
        return Said(said)


def last_error(account: str) -> tuple[str, float] | None:
    """What the last failure said, and when, in seconds since 1970; None if there was none for a day, or Redis is away."""
    try:
        words, at = redis.run(_LAST, _key(account))
    except Away:
        return None
    return None if words is None else (words.decode(), float(at))


def _key(account: str) -> str:
    return f"treadle:{account}:circuit"


counts = Circuits()
"""The counts of this process."""
