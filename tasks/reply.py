"""What came back from a call, and what it means for the attempt.

No message holds the values of a URL's query, which may be credentials.
"""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2

from jobs.errors import RateLimited, Rejected, TaskError, Transient, Unauthorized
from runtime import clock

KEPT = 1024 * 1024
"""Bytes of a body that are read, after decompression."""

_TRY_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY}
_FOR_GOOD = {HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED}
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)
# Only charsets whose decoding is linear in time; Python knows some that are not (punycode, idna).
_CHARSET = re.compile(
    r"charset=[\"']?(utf-?8|us-ascii|utf-16|iso-8859-\d\d?|windows-125\d|shift_jis|euc-jp|gb18030|gbk|big5)\b", re.IGNORECASE
)
_LONGEST = timedelta(days=365)


@dataclass(frozen=True)
class Reply:
    """An answer: its body read up to a limit, its connection given back. `url` is fit to be shown."""

    method: str
    url: str
    status: int
    headers: httpx2.Headers
    body: bytes = b""
    truncated: bool = False
    elapsed: timedelta = timedelta()
    secrets: tuple[str, ...] = ()  # what an error's snippet must not repeat

    def text(self, limit: int = KEPT) -> str:
        """The first `limit` bytes of the body as text. NUL, which PostgreSQL cannot store, is replaced."""
        named = _CHARSET.search(self.headers.get("content-type", ""))
        text = self.body[:limit].decode(named[1] if named else "utf-8", errors="replace")
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}")

    def json(self) -> Any:
        """The body as JSON. Raises ValueError if it is none, or was cut."""
        if self.truncated:
            raise ValueError("the body was cut")
        return json.loads(self.body)

    def snippet(self) -> str:
        """The start of the body (500 characters), without the secrets of the URL in case they are echoed."""
        text = self.text(4000)
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text[:500]


def judge(reply: Reply, success: Collection[int] = ()) -> TaskError | None:
    """What an answer means: None for a success (2xx, or one of `success`), else the error to raise."""
    status = reply.status
    if 200 <= status < 300 or status in success:
        return None
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    words = f"{reply.method} {reply.url} answered {status} {phrase}".rstrip() + "."
    kept: dict[str, Any] = {"status": status, "detail": reply.snippet() or None}
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(words, after=retry_after(reply.headers, resets=True), **kept)
    if status in _TRY_LATER or (500 <= status < 600 and status not in _FOR_GOOD):
        return Transient(words, after=retry_after(reply.headers), **kept)
    if status == HTTPStatus.UNAUTHORIZED:
        return Unauthorized(words, **kept)
    if 300 <= status < 400:
        return Rejected(f"{words} The redirect was not followed.", **kept)
    return Rejected(words, **kept)


def raise_for(reply: Reply, success: Collection[int] = ()) -> Reply:
    """The reply, if it is a success; else raise what `judge` finds: RateLimited, Transient, Unauthorized or Rejected."""
    error = judge(reply, success)
    if error is not None:
        raise error
    return reply


def retry_after(headers: httpx2.Headers, *, resets: bool = False) -> timedelta | None:
    """How long the other side asks us to wait; None if it does not say, or not legibly.

    Retry-After holds seconds or a date; two variants of it hold milliseconds. If `resets`, the reset of a rate limit is the
    second choice: seconds, or an instant in seconds or milliseconds since 1970. Only with a 429, since many send it always.
    """
    asked = headers.get("retry-after", "").strip()
    if asked:
        return _wait(float(asked)) if _NUMBER.fullmatch(asked) else _wait_until(asked)
    for name in ("x-ms-retry-after-ms", "retry-after-ms"):
        if _NUMBER.fullmatch(asked := headers.get(name, "").strip()):
            return _wait(float(asked) / 1000)
    for name in ("x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset") if resets else ():
        reset = headers.get(name, "").strip()
        if _NUMBER.fullmatch(reset):
            number = float(reset) / (1000 if float(reset) > 1e11 else 1)
            return _wait(number - clock.now().timestamp() if number > 1e9 else number)
    return None


def redact(url: str) -> str:
    """A URL fit to be shown: without user and password, fragment, and the values of its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(a malformed URL)"
    pairs = (pair.partition("=") for pair in parts.query.split("&") if pair)
    query = "&".join(f"{name}=***" if equals else "***" for name, equals, _ in pairs)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def _wait(seconds: float) -> timedelta:
    return min(timedelta(seconds=max(0.0, min(seconds, _LONGEST.total_seconds()))), _LONGEST)


def _wait_until(date: str) -> timedelta | None:
    try:
        instant = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return _wait((aware - clock.now()).total_seconds())
