"""Clients of SDKs: one for each account in a process, made on first use and after every fork."""

import atexit
import contextlib
import importlib.util
import os
import threading
import weakref
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from runtime.settings import settings

if TYPE_CHECKING:
    import requests

Key = TypeVar("Key")
Client = TypeVar("Client")


class Clients(Generic[Key, Client]):
    """The clients that `make` makes, by account; an account whose credentials changed gets a new one."""

    def __init__(self, make: Callable[[Key], Client]) -> None:
        self._make = make
        self._forget()
        _all.add(self)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[Key, Client] = {}

    def get(self, account: Key) -> Client:
        """The account's client. Safe to call from any thread."""
        with self._lock:
            if account not in self._made:
                self._made[account] = self._make(account)
            return self._made[account]

    def close(self) -> None:
        """Close them all. The next call makes new ones."""
        with self._lock:
            made, self._made = self._made, {}
        for client in made.values():
            close: Callable[[], Any] | None = getattr(client, "close", None)
            if close is not None:
                with contextlib.suppress(Exception):  # a connection that is gone is closed
                    close()


def connections() -> int:
    """How many connections an SDK's client may keep: one for each of the worker's threads."""
    return max(10, settings().worker_threads)


def session() -> "requests.Session":
    """What SDKs on requests send with: as many connections as may be wanted, and nothing sent again."""
    import requests  # noqa: PLC0415 - it comes with the SDKs

    made = requests.Session()
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=connections(), max_retries=0)
    for scheme in ("https://", "http://"):
        made.mount(scheme, adapter)
    return made


@lru_cache
def is_installed(module: str) -> bool:
    """Whether an SDK is there, by its module. It is not imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package above it
        return False


_all: "weakref.WeakSet[Clients[Any, Any]]" = weakref.WeakSet()


def close() -> None:
    """Close every client of this process."""
    for clients in list(_all):
        clients.close()


def _forget_all() -> None:
    for clients in list(_all):
        clients._forget()  # noqa: SLF001 - a forked child may neither use nor close its parent's connections


atexit.register(close)
os.register_at_fork(after_in_child=_forget_all)
