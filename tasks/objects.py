"""Objects, as the tasks of every store take them, and where their content comes from."""

import base64
from datetime import timedelta
from typing import Any, NamedTuple

from jobs.errors import Rejected, TaskError, Transient, Unauthorized
from runtime import clock
from tasks import http, storage
from tasks.answers import Elsewhere
from tasks.provider import Payload

_PATIENCE = storage.LIMIT / 2
_REDIRECTS = 5
_ANY = "application/octet-stream"


class Put(storage.Put, Payload):
    """An object to be stored."""


class Copy(storage.Copy, Payload):
    """An object to be copied within the account."""


class Delete(storage.Place, Payload):
    """An object to be deleted."""


class Sign(storage.Sign, Payload):
    """An address under which an object may be read or written for a while."""


class Content(NamedTuple):
    """What is stored: bytes, and their media type."""

    data: bytes
    type: str


def content(put: Put) -> Content:
    """What is to be stored; if it is at a URL it is fetched, from public addresses only.

    Raises:
        Elsewhere: it could not be fetched, or is too large.
    """
    if put.url is not None:
        reply = _fetch(put.url)
        return Content(reply.body, put.content_type or str(reply.headers.get("content-type", _ANY)))
    if put.text is not None:
        return Content(put.text.encode(), put.content_type or "text/plain; charset=utf-8")
    return Content(base64.b64decode(put.base64 or ""), put.content_type or _ANY)


def signed(url: str, sign: Sign, **headers: str) -> dict[str, Any]:
    """The result of signing, with the headers that the request must have."""
    if sign.content_type and sign.method == "PUT":
        headers["content-type"] = sign.content_type
    until = clock.now() + timedelta(seconds=sign.expires)
    return {"url": url, "method": sign.method, "headers": headers, "expires_at": until}


def _fetch(url: str) -> http.Reply:
    try:
        reply = http.send(
            "GET",
            url,
            headers={"accept-encoding": "identity"},
            redirects=_REDIRECTS,
            keep=storage.FETCHED,
            timeout=_PATIENCE,
        )
        http.raise_for(reply)
    except Unauthorized as error:  # whoever has the source does not know us; the account has no part in it
        raise Elsewhere(Rejected(str(error), status=error.status, code="source", detail=error.detail)) from None
    except TaskError as error:
        raise Elsewhere(error) from None
    if reply.truncated and len(reply.body) >= storage.FETCHED:
        raise Elsewhere(Rejected(f"{reply.url} has more than {storage.FETCHED:,} bytes.", code="too_large"))
    if reply.truncated:
        raise Elsewhere(Transient(f"{reply.url} came incomplete.", code="source"))
    return reply
