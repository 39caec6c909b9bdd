"""What a third party's answer means for the attempt: the rules that hold for every provider.

| answer | error |
|---|---|
| 429 | RateLimited: nothing was done; `after` is what Retry-After or a reset header asks for |
| 408, 425, 503 with Retry-After | Transient: nothing was done |
| other 5xx but 501, 505 | Transient if the call may be repeated, else Ambiguous: it may have been done |
| 401, 403 | Unauthorized |
| 3xx, other 4xx, 501, 505 | Rejected |
| none, and no connection was made | Transient |
| none, or a 2xx that cannot be read | Ambiguous |

A provider's own `errors` come first. An exception that is none of these, such as a bug in an SDK, is Ambiguous.
"""

import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx2

from jobs.errors import Ambiguous, RateLimited, Rejected, TaskError, Transient, Unauthorized
from runtime.redaction import scrub, scrub_all
from tasks.reply import Reply, retry_after

Errors = Mapping[str | int, type[TaskError]]
"""What a provider's codes and statuses mean, where the rules do not say it."""

_NOT_DONE = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY}
_FOR_GOOD = {HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED}
# By name, so that no HTTP library needs to be imported for it: what requests, urllib3, httpx, aiohttp, botocore and azure
# raise where no connection came about, and where one broke. The second weighs more: a client may try several hosts.
_UNSENT = {
    *("ConnectTimeout", "ConnectTimeoutError", "ConnectError", "ConnectionRefusedError", "NewConnectionError", "gaierror"),
    *("NameResolutionError", "EndpointConnectionError", "ServiceRequestError", "SSLCertVerificationError", "ProxyError"),
    *("PoolTimeout", "ClientConnectorError"),
}
_SENT = {
    *("ReadTimeout", "ReadTimeoutError", "ReadError", "WriteError", "WriteTimeout", "RemoteProtocolError", "ProtocolError"),
    *("RemoteDisconnected", "ConnectionResetError", "BrokenPipeError", "IncompleteRead", "ChunkedEncodingError"),
    *("ServiceResponseError", "ServiceResponseTimeoutError", "ConnectionClosedError"),
}


@dataclass(frozen=True)
class Answer:
    """A third party's no, whatever library brought it."""

    status: int | None
    message: str
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    after: timedelta | None = None  # where the provider says elsewhere than in a header how long to wait
    detail: Any = None
    kind: type[TaskError] | None = None  # where it says itself what it means


class Answered(Exception):
    """A reply that is no success. Its meaning is for the provider's table to say."""

    def __init__(self, reply: Reply, code: str | None = None, message: str = "", after: timedelta | None = None) -> None:
        super().__init__(f"{reply.method} {reply.url} answered {reply.status}")
        self.reply, self.code, self.message, self.after = reply, code, message, after

    @property
    def answer(self) -> Answer:
        """The reply without its request."""
        reply = self.reply
        words = self.message or f"{reply.method} {reply.url}"
        return Answer(reply.status, words, self.code, reply.headers, self.after, reply.snippet() or None)


class Elsewhere(Exception):
    """It went wrong at another's (where what is to be stored comes from, say), which says nothing of this provider."""

    def __init__(self, error: TaskError) -> None:
        super().__init__(str(error))
        self.error = error


def judge(answer: Answer, provider: str, errors: Errors, *, repeatable: bool) -> TaskError:
    """The error that an answer is."""
    kind = _kind(answer, errors, repeatable=repeatable)
    said = " ".join(str(part) for part in (answer.status, answer.code) if part is not None)
    words = scrub(f"{provider} answered {said}: {answer.message}")
    kept: dict[str, Any] = {"status": answer.status, "code": answer.code, "detail": scrub_all(answer.detail)}
    if issubclass(kind, Transient):
        headers = httpx2.Headers(dict(answer.headers))
        after = answer.after if answer.after is not None else retry_after(headers, resets=issubclass(kind, RateLimited))
        return kind(words, after=after, **kept)
    return kind(words, **kept)


def _kind(answer: Answer, errors: Errors, *, repeatable: bool) -> type[TaskError]:
    known = answer.kind or errors.get(answer.code or "") or errors.get(answer.status or 0)
    status = answer.status
    if known is not None:
        return known
    match status:
        case None:
            return Ambiguous
        case _ if status < 300:
            return Ambiguous  # it was done, perhaps, but nobody can read what it says
        case HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimited
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return Unauthorized
    if status in _NOT_DONE or _is_turned_away(answer):
        return Transient
    if status >= 500 and status not in _FOR_GOOD:
        return Transient if repeatable else Ambiguous
    return Rejected


def _is_turned_away(answer: Answer) -> bool:
    """Whether a 503 was meant. One that says nothing of coming back may be a proxy's, for a call that broke behind it."""
    told = httpx2.Headers(dict(answer.headers))
    return answer.status == HTTPStatus.SERVICE_UNAVAILABLE and (answer.after or retry_after(told)) is not None


def judge_silence(error: BaseException, provider: str) -> TaskError:
    """The error that an exception is behind which no answer stands: no connection, a broken one, or a bug."""
    names = {kind.__name__ for link in _chain(error) for kind in type(link).__mro__}
    words = scrub(f"{type(error).__name__}: {error}"[:1000])
    if names & _SENT:
        return Ambiguous(f"{provider} gave no whole answer; the call may have been done ({words}).", code="no_answer")
    if names & _UNSENT:
        return Transient(f"{provider} could not be reached; nothing was sent ({words}).", code="connect")
    trace = scrub("".join(traceback.format_exception(error)))[-4000:]
    return Ambiguous(f"the call to {provider} broke; it may have been done ({words}).", code="broken", detail=trace)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    links: list[BaseException] = [error]
    while links:
        link = links.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        inner = (link.__cause__, link.__context__, getattr(link, "reason", None), *link.args)
        links += [each for each in inner if isinstance(each, BaseException)]


def cleaned(error: TaskError) -> TaskError:
    """An error of the tree without secrets in its words, and without the chain in which they may stand."""
    error.args = tuple(scrub(str(part)) for part in error.args)
    error.code, error.detail = error.code and scrub(error.code), scrub_all(error.detail)
    error.__cause__ = error.__context__ = None
    return error
