"""Idempotency-Key, as draft-ietf-httpapi-idempotency-key-header-07 has it."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header

from api.problems import Refused
from jobs.idempotency import Key
from runtime import metrics

Answer = TypeVar("Answer")

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


async def read(
    idempotency_key: Annotated[
        str | None,
        Header(
            description="The same key and request again: the same job, answered with 200 and `Idempotent-Replayed: true`. "
            "A key is remembered for TREADLE_IDEMPOTENCY_WINDOW, a day unless set otherwise.",
            json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": f"^{_KEY.pattern}$"},
        ),
    ] = None,
) -> str | None:
    """The key, with or without the quotes of a structured string."""
    if idempotency_key is None:
        return None
    bare = (
        idempotency_key[1:-1]
        if len(idempotency_key) > 1 and idempotency_key[0] == idempotency_key[-1] == '"'
        else idempotency_key
    )
    if not _KEY.fullmatch(bare):
        raise Refused("malformed-request", "Idempotency-Key is 1 to 255 visible ASCII characters, with or without quotes.")
    return bare


IdempotencyKey = Annotated[str | None, Depends(read)]

_in_flight: dict[tuple[str, str], tuple[str, asyncio.Future[Any]]] = {}


async def once(tenant: str, key: Key | None, do: Callable[[], Coroutine[Any, Any, Answer]]) -> tuple[Answer, bool]:
    """What `do` answers, and whether it was asked by an earlier request: a repeat of one that this process is at joins it.

    Other processes wait for each other in the database, and find the job when it is theirs to look.

    Raises:
        Refused: another request with this key has not been answered yet.
    """
    if key is None:
        return await do(), False
    place = tenant, key.name
    if place not in _in_flight:
        first = asyncio.create_task(do())  # its own, so that it ends for those who joined, whoever leaves
        first.add_done_callback(lambda _: _in_flight.pop(place))
        _in_flight[place] = key.digest, first
        return await asyncio.shield(first), False
    digest, earlier = _in_flight[place]
    if digest != key.digest:
        detail = "Another request with this Idempotency-Key is being answered at this moment."
        raise Refused("in-flight", detail, {"Retry-After": "1"})
    metrics.replayed.inc()
    return await asyncio.shield(earlier), True
