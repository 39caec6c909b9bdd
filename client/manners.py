"""How a client behaves: what it sends again, how long it waits, and how it connects."""

import time
from ipaddress import ip_address
from random import uniform
from typing import Any
from urllib.parse import urlsplit

from tenacity import RetryCallState, retry_if_exception, stop_before_delay, wait_random_exponential

from client.call import Call
from client.errors import Refused, Unreachable

FINAL = frozenset({"succeeded", "failed", "cancelled", "expired"})
PATIENCE = 30.0  # seconds for one answer: the API answers or refuses within one, and breaks a stream's silence every fifteen
PERSISTENCE = 60.0  # seconds for which what failed is tried again
HELD = 20.0  # seconds for which the API is asked to hold an answer back: less than proxies allow

SPREAD = 1.5  # times what a Retry-After asks for, at most: those who were told the same do not all come at one moment

_NOTHING_DONE = {"ledger-busy", "overloaded", "in-flight"}  # kinds of problems
_MAY_PASS = {502, 503, 504}

_backoff = wait_random_exponential(multiplier=0.2, max=10)


def policy(call: Call[Any], persistence: float) -> dict[str, Any]:
    """When tenacity sends a call again: if that does nothing twice, and for as long as one persists."""
    return {
        "retry": retry_if_exception(lambda error: _may_go_again(call, error)),
        "wait": _pause,
        "stop": stop_before_delay(persistence),
        "reraise": True,
    }


def _may_go_again(call: Call[Any], error: BaseException) -> bool:
    if isinstance(error, Unreachable):
        return error.unsent or call.repeatable
    if not isinstance(error, Refused):
        return False
    refused_unread = error.status == 429 or error.kind in _NOTHING_DONE
    return refused_unread or (error.status in _MAY_PASS and call.repeatable)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    after: float | None = getattr(error, "retry_after", None)
    return after * uniform(1, SPREAD) if after else _backoff(state)  # noqa: S311 - no secret


def held(began: float, timeout: float | None) -> float:
    """For how long the API may hold an answer back, of a wait that began at a monotonic time."""
    return HELD if timeout is None else max(0.0, min(HELD, began + timeout - time.monotonic()))


def connection(url: str, key: str) -> dict[str, Any]:
    """What httpx2's clients take.

    Raises:
        ValueError: the address is none.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ValueError(f"{url!r} is no address of an API: it starts with http:// or https://")
    return {
        "base_url": url.rstrip("/"),
        "headers": {"Authorization": f"Bearer {key}"} if key else {},
        "verify": urlsplit(url).scheme == "https",  # plain HTTP needs no certificates: 12 MB of them
        "trust_env": not _is_loopback(url),  # a proxy of the environment cannot reach our own machine
    }


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
