"""What happens to every request before and after its route: an id, a size limit, a key, metrics, safe headers. Pure ASGI."""

import re
from dataclasses import replace

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from api import auth, problems
from api.bulk import PATH as BULK
from api.cloudevents import HERE as EVENTS
from api.hooks.post import PREFIX as HOOKS
from api.ledger import LedgerBusy
from runtime import clock, logs, metrics
from runtime.settings import settings

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)


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
        given = request.headers.get("x-request-id", "")
        request.state.request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid7())
        started, status = clock.monotonic(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [*_HEADERS, (b"x-request-id", request.state.request_id.encode())]
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *((n, v) for n, v in extra if n not in present)]
            await send(message)

        with logs.bound(request_id=request.state.request_id):
            try:
                await self._admitted(request, receive, watched)
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                metrics.http_requests.labels(method, route, status).inc()
                metrics.http_seconds.labels(method, route).observe(clock.monotonic() - started)

    async def _admitted(self, request: Request, receive: Receive, send: Send) -> None:
        limit, taken = _limit(request.scope["path"]), 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            _check_size(taken, limit)
            return message

        try:
            _check_size(int(request.headers.get("content-length") or 0), limit)
            if f"{request.scope['path']}/".startswith("/v1/") and not request.scope["path"].startswith(_SIGNED):
                caller = await auth.authenticate(request)
                request.state.caller = replace(caller, request_id=request.state.request_id)
        except problems.Refused as refused:
            answer = problems.problem(request, refused.kind, refused.detail, headers=refused.headers)
        except LedgerBusy:
            answer = problems.problem(
                request, "ledger-busy", "The database is locked or away.", headers={"Retry-After": "1"}
            )
        except ValueError:
            answer = problems.problem(request, "malformed-request", "Content-Length is not a number.")
        else:
            await self._app(request.scope, limited, send)
            return
        await answer(request.scope, receive, send)


def _limit(path: str) -> int:
    """How many bytes a body sent there may have."""
    if path in {BULK, EVENTS}:
        return settings().bulk_limit
    return settings().hook_limit if path.startswith(_SIGNED) else settings().payload_limit


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise problems.Refused("too-large", f"The body is larger than {limit} bytes.", {"Connection": "close"})


_SIGNED = f"{HOOKS}/"  # no key is asked for: the provider's signature is
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
