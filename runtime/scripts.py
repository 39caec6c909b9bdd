"""Lua scripts in the broker's Redis: small figures that all processes read and change in one step, and that may be lost.

A script is given one key and plain values. Whoever asks must have an answer of its own for when Redis is away.
"""

import os
import threading
from typing import Any

import structlog
from kombu.connection import Connection

from runtime import clock, families
from runtime.broker import app
from runtime.settings import settings

log = structlog.get_logger()

PATIENCE = 0.25  # seconds that a script may take: it must not hold up what it serves
REST = 1.0  # seconds for which a Redis that failed is left alone
_OPTIONS = {
    "socket_connect_timeout": PATIENCE,
    "socket_timeout": PATIENCE,
    "max_connections": 10_000,
    "max_retries": 0,  # kombu would try for six seconds to connect, and every thread would wait for that
}


class Away(Exception):
    """There is no answer: Redis is away, or the broker is of another family."""


class Redis:
    """This process's way to the scripts; made anew after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rest_until = 0.0
        self._connection: Connection | None = None
        self._scripts: dict[str, Any] = {}
        os.register_at_fork(after_in_child=self._forget)

    def run(self, script: str, key: str, *values: float | str) -> list[Any]:
        """What the script returns for the key.

        Raises:
            Away: there is no answer now.
        """
        if clock.monotonic() < self._rest_until or not isinstance(families.of(settings().broker_url), families.Redis):
            raise Away
        try:
            answer: list[Any] = self._script(script)(keys=[key], args=list(values))
        except Exception as error:
            self._forget()  # its connection may be broken in any way
            self._rest_until = clock.monotonic() + REST
            log.warning("the broker's Redis does not answer; this process goes by its own figures", error=repr(error)[:300])
            raise Away from error
        return answer

    def _script(self, text: str) -> Any:
        with self._lock:
            if text not in self._scripts:
                if self._connection is None:
                    self._connection = app.connection(transport_options=app.conf.broker_transport_options | _OPTIONS)
                channel: Any = self._connection.default_channel
                self._scripts[text] = channel.client.register_script(text)
            return self._scripts[text]

    def _forget(self) -> None:
        self._connection, self._scripts, self._rest_until = None, {}, 0.0


redis = Redis()
"""The one of this process."""
