"""`POST /v1/jobs` on a shorter way: what FastAPI and Starlette do around a route was more than half of the request's time.

Only a request that is as it should be goes this way to its end. Before anything is done for another, it goes on by the
ordinary way, body and all, and that finds out again what is wrong with it, and says so.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, NamedTuple, cast

from fastapi import FastAPI, Request
from pydantic import ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import body, dependencies, idempotency, middleware, problems
from api.orders import JobIn
from api.problems import Refused
from api.routes.jobs import PATH, accept, told
from api.schemas import as_json
from jobs.errors import JobError
from jobs.keys import Caller
from jobs.order import Order
from runtime import clock, logs, metrics
from runtime.settings import settings

_UNUSUAL = frozenset({b"prefer", b"origin", b"transfer-encoding", b"forwarded", b"x-forwarded-for", b"x-forwarded-proto"})


Headers = list[tuple[bytes, bytes]]


class Wish(NamedTuple):
    """What a request asks for."""

    job: JobIn
    order: Order
    key: str | None


def past(app: FastAPI) -> ASGIApp:
    """The application, with the shorter way past it."""
    return Shortcut(app) if "door" in settings().shortcuts else app


class Shortcut:
    """Wraps everything."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        given = _headers(scope)
        caller = self._caller(given)
        if caller is None:
            await self._app(scope, receive, send)
            return
        began, request_id = clock.monotonic(), middleware.name(_text(given.get(b"x-request-id")))
        message = _there(receive) or await _in_time(receive)
        wish = await _read(message, given, caller, request_id) if message else None
        share = self._app.state.quotas.take(caller) if wish else None
        if wish is None or (share and share.left < 0):
            await self._app(scope, _again(message, receive), send)
            return
        status = 500
        try:
            with logs.bound(request_id=request_id):
                status, headers, content = await self._answer(scope, wish, request_id)
            headers += middleware.around(scope, request_id, share)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": content})
        finally:
            metrics.answered("POST", PATH, status, clock.monotonic() - began)

    def _caller(self, given: dict[bytes, bytes]) -> Caller | None:
        """Who asks, if he is known and may."""
        scheme, _, presented = given.get(b"authorization", b"").partition(b" ")
        if scheme != b"Bearer" or not presented.startswith(b"tr_"):
            return None
        caller: Caller | None = self._app.state.keys.remembered(presented.decode("latin-1"))
        return caller if caller is not None and caller.may("write") else None

    async def _answer(self, scope: Scope, wish: Wish, request_id: str) -> tuple[int, Headers, bytes]:
        try:
            made, joined = await accept(*wish, self._app.state.ledger)
        except Exception as error:  # noqa: BLE001 - told as the application tells it
            scope.setdefault("state", {})["request_id"] = request_id
            answer = await problems.answer(Request(scope), error, self._app.exception_handlers)
            return answer.status_code, answer.raw_headers, bytes(answer.body)
        status, told_of = told(made, joined=joined)
        content = as_json(made.job)
        size = str(len(content)).encode()
        headers = [(name.encode(), value.encode()) for name, value in told_of.items()]
        return status, [(b"content-type", b"application/json"), (b"content-length", size), *headers], content


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """The headers of a request that may go this way; none of any other."""
    if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
        return {}
    given = dict(scope["headers"])
    size = given.get(b"content-length", b"")
    fits = size.isdigit() and 0 < int(size) <= settings().payload_limit
    usual = fits and given.get(b"content-type") == b"application/json" and _UNUSUAL.isdisjoint(given)
    return given if usual and len(given) == len(scope["headers"]) else {}


def _there(receive: Receive) -> Message | None:
    """What has come already; None if it has to be waited for. A timer for what needs no time costs more than reading it."""
    coming = cast("Coroutine[Any, Any, Message]", receive())
    try:
        coming.send(None)
    except StopIteration as come:
        message: Message = come.value
        return message
    coming.close()  # as if it had been cancelled: it has taken nothing
    return None


async def _in_time(receive: Receive) -> Message | None:
    """What comes next; None if it does not come in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(settings().body_patience.total_seconds()):
            return await receive()
    return None


async def _read(message: Message, given: dict[bytes, bytes], caller: Caller, request_id: str) -> Wish | None:
    """What is asked for; None if that is not all, or not right."""
    if message["type"] != "http.request" or message.get("more_body"):
        return None
    try:
        value = body.read(message["body"])
        job = JobIn.model_validate(value)
        trace = await dependencies.traceparent(_text(given.get(b"traceparent")))
        key = await idempotency.read(_text(given.get(b"idempotency-key")))
        order = job.order(caller, request_id, trace)
        return Wish(job, order, key)
    except (Refused, ValidationError, JobError):
        return None


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")


def _again(message: Message | None, receive: Receive) -> Receive:
    """What is received, from the first part on; None: it did not come in time."""
    parts = [message]

    async def anew() -> Message:
        if not parts:
            return await receive()
        part = parts.pop()
        if part is None:
            raise TimeoutError
        return part

    return anew
