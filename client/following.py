"""How to follow a stream over connections that break: each event once, and where to go on."""

import json
import time
from typing import Any

import httpx2

from client.call import Event, Stream
from client.errors import Refused

PAUSE = 1.0  # seconds before a stream is asked for again that told nothing


class Following:
    """One who follows a stream, and how long to `pause` (seconds) before the next connection."""

    def __init__(self, stream: Stream[Any], persistence: float) -> None:
        self._stream, self._persistence = stream, persistence
        self._failing_since: float | None = None
        self.pause = PAUSE

    def request(self) -> dict[str, Any]:
        """What to ask for now."""
        self.pause = PAUSE
        return self._stream.call.request()

    def heard(self, sent: httpx2.ServerSentEvent) -> Event | None:
        """The event that was sent, if it is one: a comment or a wish for a pause has no data."""
        self._failing_since, self.pause = None, 0.0
        if sent.id:
            self._stream = self._stream.behind(sent.id)
        return Event(sent.event, json.loads(sent.data), sent.id) if sent.data else None

    def failed(self, error: Exception) -> None:
        """Go on in spite of an error, unless it is one that stays, or stays for too long.

        Raises:
            Exception: the error.
        """
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        passes = not isinstance(error, Refused) or error.status in {429, 502, 503, 504}
        self.pause = getattr(error, "retry_after", None) or PAUSE
        if not passes or now + self.pause - self._failing_since > self._persistence:
            raise error
