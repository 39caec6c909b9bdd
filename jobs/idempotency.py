"""Idempotency keys: which request came before, and which job it made."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from jobs.errors import KeyReused
from jobs.model import IdempotencyKey
from runtime.database import insert
from runtime.settings import settings

CHUNK = 1000  # keys a statement


class Key(NamedTuple):
    """A caller's key, and the digest of the request that came with it."""

    name: str
    digest: str


def digest_of(request: Any) -> str:
    """A digest of a request's meaning: the same for the same JSON in another order or spacing."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def remember(session: Session, tenant: str, keyed: Sequence[tuple[Key, UUID]], now: datetime) -> dict[str, UUID | KeyReused]:
    """Note each key for its job. Of those that came before: the job that they stand for, or that the request differs."""
    known: dict[str, UUID | KeyReused] = {}
    for start in range(0, len(keyed), CHUNK):
        known |= _note(session, tenant, keyed[start : start + CHUNK], now)
    return known


def _note(session: Session, tenant: str, keyed: Sequence[tuple[Key, UUID]], now: datetime) -> dict[str, UUID | KeyReused]:
    digests = {key.name: key.digest for key, _ in keyed}
    ours = IdempotencyKey.tenant == tenant, IdempotencyKey.key.in_(digests)
    session.execute(delete(IdempotencyKey).where(*ours, IdempotencyKey.expires_at <= now))
    until = now + settings().idempotency_window
    rows = [
        {"tenant": tenant, "key": key.name, "digest": key.digest, "job_id": job_id, "expires_at": until}
        for key, job_id in keyed
    ]
    noted = insert(session, IdempotencyKey).on_conflict_do_nothing().returning(IdempotencyKey.key)
    before = digests.keys() - set(session.scalars(noted, rows))
    if not before:
        return {}
    columns = IdempotencyKey.key, IdempotencyKey.digest, IdempotencyKey.job_id
    found = session.execute(select(*columns).where(IdempotencyKey.tenant == tenant, IdempotencyKey.key.in_(before)))
    return {name: job_id if digest == digests[name] else KeyReused() for name, digest, job_id in found}


def point(session: Session, tenant: str, key: Key, job_id: UUID) -> None:
    """Have a key stand for another job than was noted."""
    statement = update(IdempotencyKey).where(IdempotencyKey.tenant == tenant, IdempotencyKey.key == key.name)
    session.execute(statement.values(job_id=job_id))
