"""Cursors of lists: opaque, and bound to what was asked."""

import base64
import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING
from uuid import UUID

from jobs.errors import Invalid

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def write(last: UUID, wanted: "DataclassInstance") -> str:
    """A cursor that goes on behind `last`, for whoever asks the same again."""
    return base64.urlsafe_b64encode(f"{last.hex}{_fingerprint(wanted)}".encode()).decode().rstrip("=")


def read(cursor: str, wanted: "DataclassInstance") -> UUID:
    """Where to go on.

    Raises:
        Invalid: the cursor is not one of ours, or belongs to another filter.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        last, fingerprint = UUID(text[:32]), text[32:]
    except (ValueError, UnicodeDecodeError):
        raise Invalid.at("/cursor", "This is not a cursor that we gave out.") from None
    if fingerprint != _fingerprint(wanted):
        raise Invalid.at("/cursor", "This cursor belongs to a list with another filter. Start again without it.")
    return last


def _fingerprint(wanted: "DataclassInstance") -> str:
    return hashlib.sha256(json.dumps(asdict(wanted), default=str, sort_keys=True).encode()).hexdigest()[:12]
