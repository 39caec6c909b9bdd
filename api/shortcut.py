"""`POST /v1/jobs` on a shorter way: FastAPI's routing, its dependencies and its answers were half of the request's time.

What is checked, done and answered are the route's own functions, so that both ways say the same; a request with anything
unusual about it takes the ordinary way.
"""

from types import SimpleNamespace

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from api import body, dependencies, idempotency
from api.auth import job_writer
from api.orders import JobIn
from api.prefer import finishes
from api.routes.jobs import PATH, create_job

_ROUTE = SimpleNamespace(path=PATH)  # what metrics call it


class Shortcut:
    """Wraps the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope, receive) if scope["type"] == "http" and scope["path"] == PATH else None
        if request is None or not _is_usual(request):
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE
        try:
            answer = await _answer(request)
        except Exception as error:
            handlers = request.app.exception_handlers
            handler = next((handlers[kind] for kind in type(error).__mro__[:-3] if kind in handlers), None)
            if handler is None:
                raise
            answer = await handler(request, error)
        await answer(scope, receive, send)


def _is_usual(request: Request) -> bool:
    headers = request.headers
    return (
        request.method == "POST"
        and headers.get("content-type") == "application/json"
        and headers.get("content-length", "0") != "0"
        and "prefer" not in headers
    )


async def _answer(request: Request) -> Response:
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
