"""Every error as an RFC 9457 problem: the only place that knows both our errors and HTTP."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api import allowed
from api.kinds import KINDS
from api.ledger import LedgerBusy
from jobs.errors import (
    ActionNotFound,
    EventNotFound,
    Invalid,
    JobError,
    JobNotFound,
    KeyNotFound,
    KeyReused,
    MoveRefused,
    NotUnique,
    OutOfReach,
    Overloaded,
    RuleExists,
    RuleNotFound,
    ScheduleExists,
    ScheduleNotFound,
)
from tasks import plainly, pointer

log = structlog.get_logger()


class WrongValue(BaseModel):
    """One wrong value of a request."""

    pointer: str = Field(examples=["/payload/url"])
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(examples=["/problems/invalid"])
    title: str
    status: int
    detail: str
    request_id: str | None = None
    errors: list[WrongValue] | None = None


def problem(
    request: Request, kind: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """The answer for a kind of problem."""
    body = details(kind, detail, getattr(request.state, "request_id", None), **more)
    return JSONResponse(body, body["status"], headers=headers, media_type="application/problem+json")


def details(kind: str, detail: str, request_id: str | None, **more: Any) -> dict[str, Any]:
    """What a problem of a kind says."""
    known = KINDS[kind]
    head = {"type": f"/problems/{kind}", "title": known.title, "status": known.status}
    return {**head, "detail": detail, "request_id": request_id, **more}


class Refused(Exception):
    """A request that the door itself turns away, as one of KINDS."""

    def __init__(self, kind: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.headers, self.more = kind, detail, headers, more


def install(app: FastAPI) -> None:
    """Answer every error, ours and the framework's, as a problem."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(JobError, _job_error)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(LedgerBusy, _busy)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _bug)


async def answer(request: Request, error: Exception, handlers: Mapping[Any, Any]) -> Response:
    """What an application with these handlers answers to an error."""
    handler = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
    its: Response = await handler(request, error)
    return its


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)  # noqa: S101 - registered for this class
    return problem(request, error.kind, error.detail, headers=error.headers, **error.more)


async def _job_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, JobError)  # noqa: S101 - registered for this class
    kind, more = kind_of(error)
    headers = {"Retry-After": str(math.ceil(error.after.total_seconds()))} if isinstance(error, Overloaded) else None
    return problem(request, kind, str(error), headers=headers, **more) if kind else await _bug(request, error)


def kind_of(error: JobError) -> tuple[str | None, dict[str, Any]]:
    """Which kind of problem an error is, and what its details hold beside the usual."""
    match error:
        case Invalid():
            return "invalid", {"errors": error.errors}
        case JobNotFound() | KeyNotFound() | ActionNotFound() | ScheduleNotFound() | EventNotFound() | RuleNotFound():
            return "not-found", {}
        case OutOfReach():
            return "forbidden", {}
        case KeyReused():
            return "key-reused", {}
        case NotUnique():
            return "not-unique", {"job_id": str(error.holder)}
        case Overloaded():
            return "overloaded", {}
        case MoveRefused() | ScheduleExists() | RuleExists():
            return "conflict", {}
    return None, {}


async def _unreadable(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    if allowed.is_other(request):
        return await _framework(request, HTTPException(405))
    wrong = wrong_values(error.errors(), error.body)
    if any(part["type"] == "json_invalid" for part in error.errors()):
        return problem(request, "malformed-request", "The body is not JSON.", errors=wrong)
    return problem(request, "invalid", summary(wrong), errors=wrong)


def wrong_values(errors: Iterable[Any], body: Any) -> list[dict[str, str]]:
    """Where pydantic found something wrong, and what, in plain words."""
    return [{"pointer": _place(part, body), "detail": plainly(part["msg"])} for part in errors]


def summary(wrong: Iterable[Mapping[str, str]]) -> str:
    """All wrong values in one line."""
    return "; ".join(f"{w['pointer']}: {w['detail']}" for w in wrong)[:1000]


def _place(part: dict[str, Any], body: Any) -> str:
    """Body fields by their pointer; query, path and header values by their kind and name.

    pydantic's path also names the branch of a union and the key of a map; a pointer may hold only what the body holds.
    """
    path = part["loc"]
    if path[0] != "body":
        return pointer(path)
    found: list[str | int] = []
    for step in path[1:]:
        if isinstance(body, dict | list) and _holds(body, step):
            body = body[step]
            found.append(step)
    return pointer([*found, path[-1]] if part["type"] == "missing" and len(path) > 1 else found)


def _holds(body: Any, step: str | int) -> bool:
    return step in body if isinstance(body, dict) else isinstance(step, int) and step < len(body)


async def _busy(request: Request, _: Exception) -> JSONResponse:
    return problem(
        request, "ledger-busy", "The database is locked or away. Nothing was stored.", headers={"Retry-After": "1"}
    )


async def _framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    if isinstance(error.__cause__, Refused):  # FastAPI wraps what reading the body raised
        return await _refused(request, error.__cause__)
    kinds = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type"}
    kind = kinds.get(error.status_code, "malformed-request" if error.status_code < 500 else "internal-error")
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(allowed.methods(request))
    return problem(request, kind, str(error.detail), headers=headers)


async def _bug(request: Request, error: Exception) -> JSONResponse:
    log.error("a request failed", path=request.scope["path"], exc_info=error)
    return problem(request, "internal-error", "An unexpected error. The log has it under this request_id.")
