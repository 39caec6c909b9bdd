"""How the accounts of all providers stand: what is missing, what holds them, how far their rate is used, what went wrong."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from jobs import holds
from jobs.errors import Invalid
from jobs.model import Hold
from tasks import accounts
from tasks.accounts import Account, NotConfigured
from tasks.health import circuit, limiter
from tasks.provider import Provider, providers
from tasks.rate import Calls

WELL = "well"
MOST = 10_000  # held jobs that are counted


@dataclass(frozen=True)
class Standing:
    """How an account stands."""

    account: str
    provider: str
    missing: str | None  # what mends it
    state: str  # what holds it, or WELL
    why: str | None
    since: datetime | None
    until: datetime | None  # nothing goes before; of an open circuit, the next probe
    held_jobs: int  # at most MOST
    rate: Calls | None
    saturation: float | None  # part of the rate that was used in the last seconds
    last_error: str | None
    last_error_at: datetime | None
    has_probe: bool


def owner(account: str) -> Provider[Any]:
    """The provider of an account.

    Raises:
        Invalid: it is none of a provider that is known here.
    """
    known = [provider for name, provider in providers.items() if accounts.belongs(account, name)]
    if not known:
        raise Invalid.at("/account", f"There is no account {account[:64]!r}. GET /v1/providers lists them.")
    return max(known, key=lambda provider: len(provider.name))


def standings(session: Session) -> list[Standing]:
    """All accounts that are given here; of a provider that has none, the one that is named as it."""
    held = holds.read()
    named = [(provider, name) for _, provider in sorted(providers.items()) for name in _names(provider)]
    return [_standing(session, provider, name, held.get(name)) for provider, name in named]


def _names(provider: Provider[Any]) -> list[str]:
    return [name for name in accounts.names(provider.name) if owner(name) is provider] or [provider.name]


def _standing(session: Session, provider: Provider[Any], name: str, hold: Hold | None) -> Standing:
    rate, used, last = _rate(provider, name), limiter.used(name), circuit.last_error(name)
    return Standing(
        account=name,
        provider=provider.name,
        missing=provider.missing(name),
        state=hold.cause if hold else WELL,
        why=hold.why if hold else None,
        since=hold.since if hold else None,
        until=hold.until if hold else None,
        held_jobs=holds.parked(session, name, MOST) if hold else 0,
        rate=rate,
        saturation=None if rate is None or used is None else round(used / rate.a_second, 3),
        last_error=last[0] if last else None,
        last_error_at=datetime.fromtimestamp(last[1], UTC) if last else None,
        has_probe=provider.probe is not None,
    )


def _rate(provider: Provider[Any], name: str) -> Calls | None:
    try:
        account: Account = provider.find(name)
    except NotConfigured:
        return None
    return account.rate
