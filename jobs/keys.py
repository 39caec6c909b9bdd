"""API keys: `tr_<id>_<secret>`, shown once, stored as a digest."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from jobs.model import DEFAULT_TENANT, ApiKey
from runtime import clock

Scope = Literal["read", "write", "admin"]
RANK: dict[str, int] = {"read": 1, "write": 2, "admin": 3}
"""Each scope holds those below it."""


@dataclass(frozen=True)
class Caller:
    """Who a valid key stands for."""

    key_id: str
    tenant: str
    scope: str
    request_id: str | None = None  # of the request that it makes

    def may(self, scope: Scope) -> bool:
        """Whether the key's scope holds `scope`."""
        return RANK[self.scope] >= RANK[scope]


def create(
    session: Session, name: str, scope: Scope, tenant: str = DEFAULT_TENANT, lifetime: timedelta | None = None
) -> str:
    """Make a key and return it: the only time that anyone sees it."""
    key_id, secret, now = secrets.token_hex(6), secrets.token_urlsafe(32), clock.now()
    expires_at = now + lifetime if lifetime else None
    session.add(
        ApiKey(
            id=key_id,
            tenant=tenant,
            name=name,
            scope=scope,
            digest=_digest(secret),
            created_at=now,
            expires_at=expires_at,
        )
    )
    return f"tr_{key_id}_{secret}"


def verify(session: Session, presented: str) -> Caller | None:
    """Who the key stands for; None if it is unknown, revoked or expired. The comparison takes constant time."""
    prefix, _, rest = presented.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != "tr" or not secret or len(presented) > 200 or not key_id.isascii() or not key_id.isalnum():
        return None
    key = session.scalars(select(ApiKey).where(ApiKey.id == key_id)).one_or_none()
    stored = key.digest if key else _digest("")
    if not hmac.compare_digest(stored, _digest(secret)) or key is None or not _is_valid(key, clock.now()):
        return None
    return Caller(key.id, key.tenant, key.scope)


def revoke(session: Session, key_id: str) -> bool:
    """End a key at once. False if there is no live key of this id."""
    statement = update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=clock.now())
    return session.execute(statement).rowcount == 1  # type: ignore[attr-defined,no-any-return]


def _is_valid(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
