"""Idempotency-Key, as draft-ietf-httpapi-idempotency-key-header-07 has it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Header

from api.problems import Refused

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


async def _read(
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


IdempotencyKey = Annotated[str | None, Depends(_read)]

_in_flight: set[tuple[str, str]] = set()


@contextmanager
def in_flight(tenant: str, key: str | None) -> Iterator[None]:
    """While it lasts, no other request with this key is taken by this process.

    Other processes wait for each other in the database, and find the job when it is theirs to look.

    Raises:
        Refused: a request with this key has not been answered yet.
    """
    if key is None:
        yield
        return
    if (tenant, key) in _in_flight:
        raise Refused(
            "in-flight", "A request with this Idempotency-Key is being answered at this moment.", {"Retry-After": "1"}
        )
    _in_flight.add((tenant, key))
    try:
        yield
    finally:
        _in_flight.discard((tenant, key))
