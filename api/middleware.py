"""What happens to every request before and after its route: an id, a size limit, a key, a quota, metrics, safe headers.

Pure ASGI. Around it stand what libraries do: proxies that are believed, CORS, compression.
"""

import asyncio
import re
from dataclasses import replace

from fastapi import FastAPI, Request
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_compress import CompressMiddleware, remove_compress_type
from uuid_utils import uuid7
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import auth, problems
from api.bulk import PATH as BULK
from api.cloudevents import HERE as EVENTS
from api.etag import Tagged
from api.hooks.post import PREFIX as HOOKS
from api.ledger import LedgerBusy
from api.problems import Refused
from api.quota import POLICY, Quotas, Share
from runtime import clock, logs, metrics
from runtime.settings import settings

LEAST = 2048  # bytes of an answer that is worth compressing

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)
_INERT = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")  # what is no page loads nothing
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")
_EXPOSED = ("Location", "Link", "ETag", "Retry-After", "RateLimit", "RateLimit-Policy", "Idempotent-Replayed")
_SIGNED = f"{HOOKS}/"  # no key is asked for: the provider's signature is
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


def install(app: FastAPI) -> None:
    """Put everything around the application; what comes last is outermost."""
    app.state.quotas = Quotas()
    app.add_middleware(Tagged)
    app.add_middleware(Doorman)
    remove_compress_type("text/event-stream")  # an event must not wait for others to be compressed with
    app.add_middleware(CompressMiddleware, minimum_size=LEAST)
    if settings().cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings().cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["*"],
            expose_headers=[*_EXPOSED, "X-Request-Id"],
        )
    if settings().trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings().trusted_proxies))


def name(given: str | None) -> str:
    """The id of a request: that which it came with, or a new one."""
    return given if given and _REQUEST_ID.fullmatch(given) else str(uuid7())


class Doorman:
    """Wraps the application. Order matters: the id first, so that every refusal carries it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        request.state.request_id = name(request.headers.get("x-request-id"))
        started, status = clock.monotonic(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name.lower() for name, _ in message["headers"]}
                extra = [(name, value) for name, value in _extra(request, message) if name not in present]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        with logs.bound(request_id=request.state.request_id):
            try:
                await self._admitted(request, receive, watched)
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                metrics.answered(method, route, status, clock.monotonic() - started)

    async def _admitted(self, request: Request, receive: Receive, send: Send) -> None:
        try:
            body = _Body(receive, _limit(request.scope["path"]), int(request.headers.get("content-length") or 0))
            if f"{request.scope['path']}/".startswith("/v1/") and not request.scope["path"].startswith(_SIGNED):
                caller = await auth.authenticate(request)
                request.state.caller = replace(caller, request_id=request.state.request_id)
                request.state.share = request.app.state.quotas.take(caller)
                _check_share(request.state.share)
        except Refused as refused:
            answer = problems.problem(request, refused.kind, refused.detail, headers=refused.headers, **refused.more)
        except LedgerBusy:
            answer = problems.problem(
                request, "ledger-busy", "The database is locked or away.", headers={"Retry-After": "1"}
            )
        except ValueError:
            answer = problems.problem(request, "malformed-request", "Content-Length is not a number.")
        else:
            await self._app(request.scope, body.receive, send)
            return
        await answer(request.scope, receive, send)


class _Body:
    """A request's body: so large at most, and whole in time."""

    def __init__(self, receive: Receive, limit: int, announced: int) -> None:
        self._receive, self._limit, self._taken, self._is_whole = receive, limit, 0, False
        self._until = asyncio.get_running_loop().time() + settings().body_patience.total_seconds()
        self._take(announced)
        self._taken = 0

    async def receive(self) -> Message:
        """The next part. Behind the last, what is received is that the client has left: there is time for that."""
        if self._is_whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise Refused("request-timeout", "The body did not arrive in time.", {"Connection": "close"}) from None
        self._is_whole = not message.get("more_body")
        self._take(len(message.get("body", b"")))
        return message

    def _take(self, size: int) -> None:
        self._taken += size
        if self._taken > self._limit:
            raise Refused("too-large", f"The body is larger than {self._limit} bytes.", {"Connection": "close"})


def _limit(path: str) -> int:
    """How many bytes a body sent there may have."""
    if path in {BULK, EVENTS}:
        return settings().bulk_limit
    return settings().hook_limit if path.startswith(_SIGNED) else settings().payload_limit


def _check_share(share: Share | None) -> None:
    if share is not None and share.left < 0:
        detail = f"This key may ask {share.quota} times a minute."
        more = {"violated-policies": [POLICY]}
        raise Refused("quota-exceeded", detail, {"Retry-After": str(share.reset)}, **more)


def _extra(request: Request, start: Message) -> list[tuple[bytes, bytes]]:
    """The headers that an answer gets unless it has them."""
    is_page = any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in start["headers"])
    share: Share | None = getattr(request.state, "share", None)
    extra = around(request.scope, request.state.request_id, share)
    return [pair for pair in extra if pair != _INERT] if is_page else extra


def around(scope: Scope, request_id: str, share: Share | None) -> list[tuple[bytes, bytes]]:
    """The headers of every answer."""
    extra = [*_HEADERS, _INERT, (b"x-request-id", request_id.encode())]
    if scope["scheme"] == "https":
        extra.append(_HTTPS_ONLY)
    if share is not None:
        extra += [(name.lower().encode(), value.encode()) for name, value in share.fields.items()]
    return extra
