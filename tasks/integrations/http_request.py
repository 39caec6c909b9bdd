"""http.request: any HTTP call, made durably."""

import json
import math
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from runtime.duration import Duration
from runtime.settings import settings
from tasks import http
from tasks.context import Context
from tasks.fields import HeaderName, HeaderValue, TargetUrl
from tasks.registry import task

TEXT_KEPT = 16 * 1024
_OURS = {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect"}
_TOLD = ("content-type", "date", "etag", "last-modified", "location", "retry-after", "x-request-id")


class HttpRequest(BaseModel):
    """The call to make, with at most one of json, body and form."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] = "POST"
    url: TargetUrl
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=50)] = {}
    json_body: Annotated[Any, Field(alias="json", description="Sent as application/json. null is a body, too.")] = None
    body: Annotated[str | None, Field(max_length=1_048_576, description="Sent as it is, in UTF-8.")] = None
    form: Annotated[
        dict[str, str | list[str]] | None, Field(max_length=200, description="Sent as application/x-www-form-urlencoded.")
    ] = None
    timeout: Annotated[
        Duration,
        Field(gt=timedelta(0), le=timedelta(minutes=30), description="For the whole exchange, at most 30 minutes."),
    ] = timedelta(seconds=30)
    follow_redirects: Annotated[
        bool | Annotated[int, Field(ge=0, le=5)], Field(description="How many redirects to follow; true is 5.")
    ] = False
    success: Annotated[
        list[Annotated[int, Field(ge=200, le=599)]], Field(max_length=50, description="Statuses beside 2xx that are fine.")
    ] = []

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if len(self.model_fields_set & {"json_body", "body", "form"}) > 1:
            raise ValueError("give only one of json, body and form")
        return self

    @model_validator(mode="after")
    def _headers_are_theirs(self) -> Self:
        names = [name.lower() for name in self.headers]
        ours = sorted(name for name in names if name in _OURS or name.startswith("proxy-"))
        if ours:
            raise ValueError(f"these headers are set by the connection and cannot be given: {', '.join(ours)}")
        if len(set(names)) < len(names):
            raise ValueError("a header is given twice; names do not differ by case")
        return self


@task(
    "http.request",
    timeout=timedelta(minutes=31),
    example={"method": "GET", "url": "https://example.com/", "headers": {"Accept": "text/html"}, "timeout": "10s"},
)
def request(payload: HttpRequest, context: Context) -> dict[str, Any]:
    """Make an HTTP request; 2xx is success, 4xx is not tried again, the rest is.

    Idempotency-Key is the same on every attempt of the job. The result has the status, some headers, the body (16 KiB of
    text, or a JSON body parsed under "json"), whether it was cut, and the time it took in milliseconds.
    """
    content, kind = _content(payload)
    headers = {"idempotency-key": context.key(), **kind}
    headers |= {name.lower(): value for name, value in payload.headers.items()}
    follow = payload.follow_redirects
    reply = http.send(
        payload.method,
        payload.url,
        headers=headers,
        content=content,
        form=payload.form,
        timeout=payload.timeout,
        redirects=5 if follow is True else int(follow),
        final=payload.success,
    )
    http.raise_for(reply, payload.success)
    return {
        "status": reply.status,
        "headers": {name: reply.headers[name][:1000] for name in _TOLD if name in reply.headers},
        **_body(reply),
        "elapsed_ms": round(reply.elapsed / timedelta(milliseconds=1)),
    }


def _content(payload: HttpRequest) -> tuple[bytes | None, dict[str, str]]:
    if "json_body" in payload.model_fields_set:
        return json.dumps(payload.json_body).encode(), {"content-type": "application/json"}
    if payload.body is not None:
        return payload.body.encode(), {"content-type": "text/plain; charset=utf-8"}
    return None, {}


def _body(reply: http.Reply) -> dict[str, Any]:
    small = not reply.truncated and len(reply.body) <= settings().result_limit // 2
    if small and "json" in reply.headers.get("content-type", ""):
        try:
            value = json.loads(reply.body)
        except (ValueError, RecursionError):
            value = math.nan
        if _storable(value):
            return {"json": value, "truncated": False}
    return {"body": reply.text(TEXT_KEPT), "truncated": reply.truncated or len(reply.body) > TEXT_KEPT}


def _storable(value: Any, depth: int = 64) -> bool:
    """Whether both databases take it: no NaN, no NUL, no half of a surrogate pair, not nested beyond reason."""
    match value:
        case float():
            return math.isfinite(value)
        case str():
            return "\0" not in value and value.encode(errors="ignore").decode() == value
        case dict():
            return depth > 0 and all(_storable(key) and _storable(item, depth - 1) for key, item in value.items())
        case list():
            return depth > 0 and all(_storable(item, depth - 1) for item in value)
        case _:
            return True
