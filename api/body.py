"""Reading a JSON body strictly: what the ledger could not store or others could not read is refused here, with a reason."""

import json
import math
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.problems import Refused

DEEPEST = 64  # levels of nesting
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read(body: bytes) -> Any:
    """The JSON value of a body.

    Raises:
        Refused: not UTF-8, not JSON, NaN, Infinity or a number past all floats, a name twice in one object, half a
            surrogate pair, or nested too deep.
    """
    try:
        text = body.decode("utf-8")
        value = _DECODER.decode(text)
        if _SURROGATE.search(body):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise Refused(
            "malformed-request", "The body holds text that is not Unicode (broken UTF-8, or half a surrogate pair)."
        ) from None
    except RecursionError:
        raise Refused("malformed-request", f"The body is nested deeper than {DEEPEST} levels.") from None
    except ValueError as error:
        raise Refused("malformed-request", f"The body is not JSON: {error}.") from None
    if body.count(b"{") + body.count(b"[") > DEEPEST:  # else it cannot be
        _check_depth(value)
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large for a number")
    return number


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_no_twins)


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise Refused("malformed-request", f"The body is nested deeper than {DEEPEST} levels.")
        inner = (child.values() if isinstance(child, dict) else child for child in level if isinstance(child, dict | list))
        level = [item for items in inner for item in items]


class _StrictRequest(Request):
    async def json(self) -> Any:
        return read(await self.body())


class StrictRoute(APIRoute):
    """A route whose body is read strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            if self.body_field is not None and _has_body(request) and not _is_json(request):
                raise Refused("unsupported-media-type", "Send the body as `Content-Type: application/json`.")
            return await handle(_StrictRequest(request.scope, request.receive))

        return strictly


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _is_json(request: Request) -> bool:
    kind, _, form = request.headers.get("content-type", "").partition(";")[0].strip().lower().partition("/")
    return kind == "application" and (form == "json" or form.endswith("+json"))
