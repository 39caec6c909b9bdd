"""Tokens of an identity provider (OpenID Connect) beside API keys: people sign in there; a claim says what they may do."""

import asyncio
from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import httpx2
import structlog

from api import jose
from api.problems import Refused
from jobs.keys import RANK, Caller, Scope
from jobs.model import DEFAULT_TENANT
from runtime import clock
from runtime.settings import settings

if TYPE_CHECKING:
    from jwt import PyJWK

log = structlog.get_logger()

ROLES: dict[str, Scope] = {"viewer": "read", "operator": "operate", "writer": "write", "admin": "admin"}
KEEP = 3600.0  # seconds for which the provider's keys are kept
AGAIN = 30.0  # seconds between two fetches, however many tokens name a key that we do not know
LEEWAY = 30.0  # seconds by which clocks may differ
_PATIENCE = 3.0  # seconds for each request to the provider
_SIGNED_BY = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
]  # never a shared secret
_NEEDED = ["exp", "iss", "aud", "sub"]


class Issuer:
    """The identity provider that the settings name."""

    def __init__(self) -> None:
        self._keys: dict[str | None, PyJWK] = {}
        self._fetched, self._tried = -KEEP, -AGAIN
        self._fetching = asyncio.Lock()

    async def caller(self, token: str) -> Caller | None:
        """Whom a token stands for; None if it does not hold.

        Raises:
            Refused: it holds, and gives no role here.
        """
        try:
            key = await self._key(jose.key_id(token))
            claims = jose.claims(token, key, _SIGNED_BY, _NEEDED, settings().oidc_audience, settings().oidc_issuer)
            _check_times(claims)
        except (ValueError, TypeError) as error:
            log.info("a token was refused", why=str(error)[:200])
            return None
        role = max(ROLES.keys() & set(_roles(claims)), key=lambda role: RANK[ROLES[role]], default=None)
        if role is None:
            raise Refused("forbidden", f"The token gives none of the roles {', '.join(ROLES)}.")
        subject, blind = str(claims["sub"])[:255], role == "viewer" and not settings().oidc_viewers_see_payloads
        who = blake2b(subject.encode(), digest_size=6).hexdigest()
        return Caller(f"oid_{who}", DEFAULT_TENANT, ROLES[role], blind=blind, subject=subject)

    async def _key(self, kid: str | None) -> "PyJWK":
        now = clock.monotonic()
        if kid not in self._keys or now >= self._fetched + KEEP:
            async with self._fetching:
                if now >= self._tried + AGAIN:
                    self._tried = now
                    await self._fetch(now)
        if kid not in self._keys:
            raise ValueError("its key is unknown")
        return self._keys[kid]

    async def _fetch(self, now: float) -> None:
        try:
            self._keys = await asyncio.to_thread(_published)
        except (httpx2.HTTPError, ValueError, KeyError) as error:  # the keys that we have still hold
            log.warning("the identity provider's keys could not be fetched", why=repr(error)[:300])
            return
        self._fetched = now


def _published() -> "dict[str | None, PyJWK]":
    with httpx2.Client(timeout=_PATIENCE, follow_redirects=False) as client:
        address = settings().oidc_jwks_url
        if not address:
            discovery = f"{settings().oidc_issuer.rstrip('/')}/.well-known/openid-configuration"
            address = client.get(discovery).raise_for_status().json()["jwks_uri"]
        return jose.key_set(client.get(address).raise_for_status().content)


def _check_times(claims: dict[str, Any]) -> None:
    now = clock.now().timestamp()
    if not float(claims.get("nbf", now)) - LEEWAY <= now <= float(claims["exp"]) + LEEWAY:
        raise ValueError("it is not valid now")


def _roles(claims: dict[str, Any]) -> Iterable[str]:
    """What the roles' claim holds: a list, or words between spaces. Dots in its name lead inwards."""
    found: Any = claims
    for step in settings().oidc_roles_claim.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    if isinstance(found, str):
        return found.split()
    return [role for role in found if isinstance(role, str)] if isinstance(found, list) else ()
