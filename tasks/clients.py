"""Clients of SDKs: one for each account in a process, made on first use and after every fork."""

import atexit
import contextlib
import importlib.util
import os
import threading
import weakref
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

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
