"""API keys: `tr_<id>_<secret>`, shown once, stored as a digest."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session

from jobs.errors import KeyNotFound
from jobs.model import DEFAULT_TENANT, ApiKey
from jobs.reach import EVERYTHING, Reach
from runtime import clock
from runtime.prepared import Prepared

Scope = Literal["read", "operate", "write", "admin"]
RANK: dict[str, int] = {"read": 1, "operate": 2, "write": 3, "admin": 4}
"""Each scope holds those below it."""


@dataclass(frozen=True)
class Caller:
    """Who calls: whom a valid key stands for, or a token."""

    key_id: str
    tenant: str
    scope: str
    request_id: str | None = None  # of the request that it makes
    reach: Reach = EVERYTHING
    blind: bool = False  # payloads, results and errors are hidden from it
    quota: int | None = None  # requests a minute; None: the setting's
    subject: str | None = None  # of a token: who that is to its issuer

    def may(self, scope: Scope) -> bool:
        """Whether the key's scope holds `scope`."""
        return RANK[self.scope] >= RANK[scope]


class _Key(NamedTuple):
    """What a key is judged by."""

    digest: str
    digest_before: str | None
    before_until: datetime | None
    revoked_at: datetime | None
    expires_at: datetime | None
    tenant: str
    scope: str
    tasks: list[str] | None
    queues: list[str] | None
    blind: bool | None
    quota: int | None


_KEY = Prepared(select(*(getattr(ApiKey, name) for name in _Key._fields)).where(ApiKey.id == bindparam("key")), "key")


def create(
    session: Session,
    name: str,
    scope: Scope,
    tenant: str = DEFAULT_TENANT,
    lifetime: timedelta | None = None,
    *,
    reach: Reach = EVERYTHING,
    blind: bool = False,
    quota: int | None = None,
) -> str:
    """Make a key and return it: the only time that anyone sees it. Only a key that reads can be blind."""
    key_id, secret, now = secrets.token_hex(6), secrets.token_urlsafe(32), clock.now()
    session.add(
        ApiKey(
            id=key_id,
            tenant=tenant,
            name=name,
            scope=scope,
            digest=_digest(secret),
            created_at=now,
            expires_at=now + lifetime if lifetime else None,
            tasks=list(reach.tasks) or None,
            queues=list(reach.queues) or None,
            blind=blind or None,
            quota=quota,
        )
    )
    session.flush()
    return f"tr_{key_id}_{secret}"


def verify(session: Session, presented: str) -> Caller | None:
    """Who the key stands for; None if it is unknown, revoked or expired. The comparison takes constant time."""
    prefix, _, rest = presented.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != "tr" or not secret or len(presented) > 200 or not key_id.isascii() or not key_id.isalnum():
        return None
    key, now = next((_Key(*row) for row in _KEY.returned(session.connection(), key_id)), None), clock.now()
    given, stored = _digest(secret), key.digest if key else _digest("")
    before = key.digest_before if key and key.digest_before and key.before_until and now < key.before_until else stored
    fits = hmac.compare_digest(stored, given) | hmac.compare_digest(before, given)
    if not fits or key is None or not _is_valid(key, now):
        return None
    reach = Reach(tuple(key.tasks or ()), tuple(key.queues or ()))
    return Caller(key_id, key.tenant, key.scope, reach=reach, blind=bool(key.blind), quota=key.quota)


def revoke(session: Session, key_id: str, tenant: str | None = None) -> bool:
    """End a key at once. False if there is no live key of this id."""
    live = update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
    live = live if tenant is None else live.where(ApiKey.tenant == tenant)
    return session.execute(live.values(revoked_at=clock.now())).rowcount == 1  # type: ignore[attr-defined,no-any-return]


def rotate(session: Session, key_id: str, overlap: timedelta, tenant: str | None = None) -> str:
    """Give a key another secret, and return it whole. The one before is taken for `overlap` longer, one still older is not.

    Raises:
        KeyNotFound: there is no live key of this id.
    """
    key, now = get(session, key_id, tenant, lock=True), clock.now()
    if not _is_valid(key, now):
        raise KeyNotFound(key_id)
    secret = secrets.token_urlsafe(32)
    key.digest_before, key.before_until, key.digest = key.digest, now + overlap, _digest(secret)
    return f"tr_{key_id}_{secret}"


def get(session: Session, key_id: str, tenant: str | None = None, *, lock: bool = False) -> ApiKey:
    """One key.

    Raises:
        KeyNotFound: there is none, or it is another tenant's.
    """
    key = session.get(ApiKey, key_id, with_for_update=lock or None)
    if key is None or tenant not in {None, key.tenant}:
        raise KeyNotFound(key_id)
    return key


def listed(session: Session, tenant: str | None = None, *, ended: bool = True) -> Sequence[ApiKey]:
    """The keys, oldest first; without those that have ended, if these are not wanted."""
    query = select(ApiKey).order_by(ApiKey.created_at, ApiKey.id)
    query = query if tenant is None else query.where(ApiKey.tenant == tenant)
    if not ended:
        lasting = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > clock.now())
        query = query.where(ApiKey.revoked_at.is_(None), lasting)
    return session.scalars(query).all()


def _is_valid(key: "ApiKey | _Key", now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
