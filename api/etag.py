"""ETag and If-None-Match on what is read (RFC 9110): whoever asks again is answered with 304 if nothing has changed."""

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 4_194_304  # bytes of an answer that is kept back to be hashed


class Tagged:
    """Wraps the application: a GET's JSON answer gets a tag made of its bytes, weak since it may yet be compressed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"} or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        start: Message = {}

        async def tagging(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if _is_tagged(message):
                    start = message
                    return
            elif start and not message.get("more_body"):
                start, begun = {}, start
                message = _tag(begun, message, Headers(scope=scope).get("if-none-match", ""))
                await send(begun)
            elif start:  # in parts, so not ours to hold back
                start, begun = {}, start
                await send(begun)
            await send(message)

        await self._app(scope, receive, tagging)


def _is_tagged(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    size = int(headers.get("content-length", LARGEST + 1))
    return start["status"] == 200 and headers.get("content-type") == "application/json" and size <= LARGEST


def _tag(start: Message, end: Message, known: str) -> Message:
    headers = MutableHeaders(raw=start["headers"])
    tag = f'W/"{hashlib.blake2b(end.get("body", b""), digest_size=12).hexdigest()}"'
    headers["etag"], headers["cache-control"] = tag, "private, no-cache"
    start["headers"] = headers.raw
    if known.strip() != "*" and tag not in (f"W/{each.strip().removeprefix('W/')}" for each in known.split(",")):
        return end
    start["status"] = 304
    start["headers"] = [(name, value) for name, value in headers.raw if name not in {b"content-length", b"content-type"}]
    return {"type": "http.response.body", "body": b""}
