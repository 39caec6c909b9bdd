"""The keys in the database, without an API: the first of them cannot be made otherwise."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cli.complaint import Complaint
from cli.keys import Keys
from cli.ledger import ledger
from jobs import keys
from jobs.errors import KeyNotFound
from jobs.model import ApiKey
from jobs.reach import Reach, is_pattern
from runtime.database import snapshot, transaction
from runtime.duration import Duration

_SPAN: TypeAdapter[timedelta] = TypeAdapter(Duration)

__all__ = ["LedgerKeys", "ledger"]


class LedgerKeys(Keys):
    """Those of the database that the settings name."""

    def make(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        tasks, queues = tuple(wanted.get("tasks", ())), tuple(wanted.get("queues", ()))
        if wrong := [pattern for pattern in (*tasks, *queues) if not is_pattern(pattern)]:
            raise Complaint(f"{wrong[0]!r} is no pattern: a name, or the beginning of names and a * behind it.")
        span = _span(wanted["lifetime"]) if "lifetime" in wanted else None
        if span is not None and span <= timedelta(0):
            raise Complaint("A key's lifetime is longer than nothing.")
        rights = {name: wanted[name] for name in ("blind", "quota") if name in wanted}
        with transaction() as session:
            key = keys.create(session, wanted["name"], wanted["scope"], lifetime=span, reach=Reach(tasks, queues), **rights)
            return _told(keys.get(session, key.split("_")[1])) | {"key": key}

    def listed(self) -> dict[str, Any]:
        with snapshot() as session:
            return {"keys": [_told(key) for key in keys.listed(session)]}

    def one(self, key_id: str) -> dict[str, Any]:
        try:
            with snapshot() as session:
                return _told(keys.get(session, key_id))
        except KeyNotFound as missing:
            raise _unknown(missing) from None

    def rotate(self, key_id: str, overlap: str) -> dict[str, Any]:
        try:
            with transaction() as session:
                key = keys.rotate(session, key_id, _span(overlap))
                return _told(keys.get(session, key_id)) | {"key": key}
        except KeyNotFound as missing:
            raise _unknown(missing) from None

    def revoke(self, key_id: str) -> None:
        with transaction() as session:
            if not keys.revoke(session, key_id):
                raise _unknown(KeyNotFound(key_id))


def _told(key: ApiKey) -> dict[str, Any]:
    """A key as the API tells of it."""
    times = {name: getattr(key, name) for name in ("created_at", "expires_at", "revoked_at", "before_until")}
    return {
        "id": key.id,
        "name": key.name,
        "scope": key.scope,
        "tasks": key.tasks or [],
        "queues": key.queues or [],
        "blind": bool(key.blind),
        "quota": key.quota,
        **{name: at and at.isoformat() for name, at in times.items()},
    }


def _unknown(missing: KeyNotFound) -> Complaint:
    return Complaint(f"{missing} `treadle keys list` lists all.")


def _span(given: str) -> timedelta:
    try:
        return _SPAN.validate_python(given)
    except ValidationError as error:
        raise Complaint(f"{given!r} is no length of time: {error.errors()[0]['msg']}.") from None
