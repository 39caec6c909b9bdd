"""HTTP calls to the outside: one pool of connections a process, each call bounded in time and size.

`send` makes the call and raises when there was no answer; `raise_for` says what an answer means.
"""

import os
import re
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from importlib import metadata
from typing import Any

import httpx2

from jobs.errors import Ambiguous, Rejected, TimedOut, Transient
from runtime import clock
from runtime.settings import settings
from tasks import egress
from tasks.context import Context, current
from tasks.reply import KEPT, Reply, judge, raise_for, redact, retry_after

__all__ = ["KEPT", "Reply", "close", "judge", "raise_for", "redact", "retry_after", "send"]

_CONNECT = 3.0  # seconds
_ONWARD = {301, 302, 303, 307, 308}
_SECRET_NAME = re.compile(r"auth|cookie|token|secret|api-?key|signature", re.IGNORECASE)


class _Pool:
    """Connections of this process, made on first use."""

    def __init__(self, *, guarded: bool) -> None:
        self._guarded = guarded
        self.forget()

    def forget(self) -> None:
        self._lock = threading.Lock()
        self._transport: egress.Transport | None = None

    def transport(self) -> egress.Transport:
        with self._lock:
            if self._transport is None:
                self._transport = egress.Transport(max(200, settings().worker_threads), guarded=self._guarded)
            return self._transport

    def close(self) -> None:
        with self._lock:
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()


# Two pools: a connection that an account opened to a private address must never serve a job that names its own URL.
_guarded, _free = _Pool(guarded=True), _Pool(guarded=False)
# A forked child must neither speak on its parent's connections nor wait for a lock whose holder did not come along.
for _pool in (_guarded, _free):
    os.register_at_fork(after_in_child=_pool.forget)


def close() -> None:
    """Close the connections of this process. The next call makes new ones."""
    _guarded.close()
    _free.close()


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    json: Any = None,
    form: Mapping[str, Any] | None = None,
    parts: Sequence[tuple[str, str]] | None = None,
    timeout: timedelta = timedelta(seconds=30),
    redirects: int = 0,
    final: Collection[int] = (),
    keep: int = KEPT,
    guarded: bool = True,
) -> Reply:
    """Make one call and read the answer, whatever its status. User-Agent, traceparent and X-Request-Id are added.

    Args:
        content, json, form, parts: the body, at most one of them; parts is a form as multipart/form-data, in this order.
            None is no body: the JSON null is content=b"null".
        timeout: for all of it, redirects and body included; the attempt's own time limit cuts it short.
        redirects: how many are followed. To another origin, headers that hold secrets do not go along.
        final: statuses that are an answer, not a way onward.
        keep: bytes of the body to read; the rest is left unread and the reply says `truncated`.
        guarded: whether only public addresses may be called; not so where the operator, not the job, says the address.

    Raises:
        Transient: no connection could be made, so nothing was sent.
        Ambiguous: the request was sent, and no whole answer came; TimedOut, if because the attempt's time was up.
        Rejected: the target may not be called (code private_target), or the request cannot be spoken in HTTP.
        Cancelled, LeaseLost: the job may not make this call; nothing was sent.
    """
    try:
        said = {**_introduction(), **httpx2.Headers(headers)}
        files = None if parts is None else [(name, (None, value)) for name, value in parts]
        request = httpx2.Request(
            method, egress.check_url(url), headers=said, content=content, json=json, data=form, files=files
        )
        request.read()
    except (httpx2.InvalidURL, ValueError) as error:
        raise Rejected(f"{method} {redact(url)}: this cannot be sent ({error}).") from error
    transport = (
        _guarded if guarded else _free
    ).transport()  # before the time starts: the first call of a process loads the trusted certificates
    token = egress.until.set(clock.monotonic() + _seconds_for(timeout))
    try:
        for hop in range(redirects + 1):
            reply = _exchange(transport, request, keep, after_another=hop > 0)
            onward = None if hop == redirects or reply.status in final else _onward(request, reply)
            if onward is None:
                break
            request = onward
        return reply
    finally:
        egress.until.reset(token)


def _introduction() -> dict[str, str]:
    attempt = _attempt()
    return {
        "user-agent": f"treadle/{_version()}",
        **({"traceparent": attempt.traceparent} if attempt and attempt.traceparent else {}),
        **({"x-request-id": attempt.request_id} if attempt and attempt.request_id else {}),
    }


def _exchange(transport: egress.Transport, request: httpx2.Request, keep: int, *, after_another: bool) -> Reply:
    attempt = _attempt()
    if attempt is not None:
        attempt.check()
    where = f"{request.method} {redact(str(request.url))}"
    started = clock.monotonic()
    try:
        request.extensions["timeout"] = {"connect": _CONNECT, "pool": egress.left(_CONNECT, httpx2.PoolTimeout)}
        response = transport.handle_request(request)
        body, truncated = _read(response, keep)
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        kind = Ambiguous if after_another else Transient
        raise kind(f"{where}: no connection ({error or type(error).__name__}).", code="connect") from error
    except (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol) as error:
        raise Rejected(f"{where}: this cannot be sent ({error}).") from error
    except httpx2.TransportError as error:
        raise _lost(where, error) from error
    return Reply(
        request.method,
        redact(str(request.url)),
        response.status_code,
        response.headers,
        body,
        truncated,
        timedelta(seconds=clock.monotonic() - started),
        tuple(_secrets(request)),
    )


def _secrets(request: httpx2.Request) -> Iterator[str]:
    """What a careless server might echo: the values of the query, and the credentials in headers without their scheme."""
    yield from (value for value in request.url.params.values() if len(value) > 3)
    named = (value.rpartition(" ")[2] for name, value in request.headers.items() if _SECRET_NAME.search(name))
    yield from (value for value in named if len(value) > 3)


def _read(response: httpx2.Response, keep: int) -> tuple[bytes, bool]:
    body = bytearray()
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > keep:
                return bytes(body[:keep]), True
    except httpx2.DecodingError:
        return bytes(body), True
    except httpx2.TransportError:
        # A failure is judged by its status, which is known; only a success must be whole.
        if response.is_success:
            raise
        return bytes(body), True
    finally:
        response.close()
    return bytes(body), False


def _lost(where: str, error: httpx2.TransportError) -> Ambiguous:
    attempt = _attempt()
    if attempt is not None and attempt.remaining() < timedelta(milliseconds=50):
        return TimedOut(f"{where}: the attempt's time was up before the answer had come.")
    if isinstance(error, httpx2.TimeoutException):
        return Ambiguous(f"{where}: the request was sent, and no answer came in time.", code="timeout")
    return Ambiguous(f"{where}: the connection broke after the request was sent ({error}).", code="dropped")


def _onward(request: httpx2.Request, reply: Reply) -> httpx2.Request | None:
    location = reply.headers.get("location")
    if reply.status not in _ONWARD or not location:
        return None
    try:
        url = request.url.join(location)
        egress.check_url(str(url))
    except (httpx2.InvalidURL, ValueError) as error:
        raise Rejected(
            f"{reply.method} {reply.url} redirects to what is no target ({error}).", status=reply.status
        ) from error
    method = _method_onward(request.method, reply.status)
    same = (url.scheme, url.host, url.port) == (request.url.scheme, request.url.host, request.url.port)
    dropped = {"host"} if method == request.method else {"host", "content-type", "content-length", "transfer-encoding"}
    headers = {
        name: value
        for name, value in request.headers.items()
        if name not in dropped and (same or not _SECRET_NAME.search(name))
    }
    content = request.content if method == request.method else None
    return httpx2.Request(method, url, headers=headers, content=content or None)


def _method_onward(method: str, status: int) -> str:
    becomes_get = (status == 303 and method != "HEAD") or (status in {301, 302} and method == "POST")
    return "GET" if becomes_get else method


def _attempt() -> Context | None:
    try:
        return current()
    except LookupError:
        return None


def _seconds_for(timeout: timedelta) -> float:
    attempt = _attempt()
    return (timeout if attempt is None else min(timeout, attempt.remaining())).total_seconds()


@lru_cache
def _version() -> str:
    try:
        return metadata.version("treadle")
    except metadata.PackageNotFoundError:
        return "0"
