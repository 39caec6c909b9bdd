"""Where `async def` tasks run: one event loop a process, in a thread of its own."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any


class Loop:
    """A running event loop; made anew after a fork."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0
        self._lock = threading.Lock()

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> "Future[Any]":
        """Run the coroutine; the future's `cancel` cancels it at its next await."""
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._loop, self._pid = asyncio.new_event_loop(), os.getpid()
                threading.Thread(target=self._loop.run_forever, name="coroutines", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


loop = Loop()
"""The loop of this process."""
