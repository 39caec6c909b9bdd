"""`POST /v1/jobs` on a shorter way: what FastAPI and Starlette do around a route was more than half of the request's time.

What is checked, done and answered are the doorman's and the route's own functions, so that both ways say the same; a request
with anything unusual about it takes the ordinary way.
"""

from types import SimpleNamespace

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from api import body, dependencies, idempotency
from api.auth import job_writer
from api.middleware import Doorman
from api.orders import JobIn
from api.prefer import finishes
from api.routes.jobs import PATH, create_job
from runtime.settings import settings

_ROUTE = SimpleNamespace(path=PATH)  # what metrics call it
_UNUSUAL = {b"prefer", b"origin", b"transfer-encoding", b"forwarded", b"x-forwarded-for", b"x-forwarded-proto"}


def install(app: FastAPI) -> None:
    """Put it around all that is around the application."""
    if "door" in settings().shortcuts:
        build = app.build_middleware_stack
        app.build_middleware_stack = lambda: Shortcut(build())  # type: ignore[method-assign]  # no other place is outside


class Shortcut:
    """Wraps everything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._short = app, Doorman(_answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if _is_usual(scope):
            scope["route"] = _ROUTE
            await self._short(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_usual(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
        return False
    given = dict(scope["headers"])
    has_body = given.get(b"content-type") == b"application/json" and given.get(b"content-length", b"0") != b"0"
    return has_body and _UNUSUAL.isdisjoint(given)


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    try:
        answer = await _create(request)
    except Exception as error:  # noqa: BLE001 - told as the application tells it
        handlers = request.app.exception_handlers
        answer = await next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)(request, error)
    await answer(scope, receive, send)


async def _create(request: Request) -> Response:
    value = body.read(await request.body())
    caller = await job_writer(request)
    trace = await dependencies.traceparent(request.headers.get("traceparent"))
    key = await idempotency.read(request.headers.get("idempotency-key"))
    try:
        job = JobIn.model_validate(value, from_attributes=True)  # as FastAPI does
    except ValidationError as error:
        wrong = [part | {"loc": ("body", *part["loc"])} for part in error.errors(include_url=False)]
        raise RequestValidationError(wrong, body=value) from None
    answer = Response(status_code=202, media_type="application/json")
    made = await create_job(
        job,
        answer,
        caller,
        await dependencies.ledger(request),
        await finishes(request),
        await dependencies.request_id(request),
        trace,
        wait=0,
        key=key,
    )
    answer.body = made.__pydantic_serializer__.to_json(made)
    answer.headers["Content-Length"] = str(len(answer.body))
    return answer
