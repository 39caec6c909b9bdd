"""The one clock, so that tests can move time."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that no one can set; for spans, leases and time limits within one process."""
    return time.monotonic()
