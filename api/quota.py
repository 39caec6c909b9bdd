"""How often a key may ask: a quota a minute, told in RateLimit fields (draft-ietf-httpapi-ratelimit-headers-11).

Each API process counts for itself, in memory: a request costs no question to anybody. Of three processes behind a balancer,
a key may so ask three times as often.
"""

from dataclasses import dataclass

from jobs.keys import Caller
from runtime import clock
from runtime.settings import settings

WINDOW = 60.0  # seconds
POLICY = "key"
_MOST = 10_000  # keys that are remembered


@dataclass(frozen=True)
class Share:
    """What is left of a quota after a request."""

    quota: int
    left: int  # -1: it was one too many
    reset: int  # seconds until it is whole again

    @property
    def fields(self) -> dict[str, str]:
        """As the answer says it."""
        return {
            "RateLimit-Policy": f'"{POLICY}";q={self.quota};w={WINDOW:.0f}',
            "RateLimit": f'"{POLICY}";r={max(0, self.left)};t={self.reset}',
        }


class Quotas:
    """What this process has counted."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[float, int]] = {}

    def take(self, caller: Caller) -> Share | None:
        """Count a request. None if the caller may ask as often as it likes."""
        quota = caller.quota or settings().quota
        if not quota:
            return None
        now = clock.monotonic()
        until, used = self._used.get(caller.key_id, (0.0, 0))
        if now >= until:
            until, used = now + WINDOW, 0
            if len(self._used) >= _MOST:
                self._used.clear()
        used = min(used + 1, quota + 1)
        self._used[caller.key_id] = (until, used)
        return Share(quota, quota - used, max(1, round(until - now)))
