"""Accounts: credentials of a third party under a name. A job's payload holds the name, never a value."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError

from runtime import accounts as given
from runtime import redaction
from runtime.duration import Duration
from runtime.settings import settings
from tasks.egress import check_url
from tasks.rate import Rate
from tasks.registry import plainly

Made = TypeVar("Made", bound="Account")

AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=64)]


class NotConfigured(Exception):
    """What a task needs is missing in this process; the sentence ends with the line that mends it."""


def _check_base(url: str) -> str:
    """Raises ValueError if calls to it would show the credentials to whoever listens."""
    parts = urlsplit(check_url(url))
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("https:// is needed, except on loopback: the credentials go there")
    if parts.query or parts.fragment:
        raise ValueError("a base URL has neither query nor fragment")
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, so that nobody else hears what goes there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


BaseUrl = Annotated[str, AfterValidator(_check_base)]
"""Where a provider is called: its live address, another region, a sandbox or an emulator."""


class Account(BaseModel):
    """What every account has. A provider's own model adds its credentials, and says its defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)  # as payloads

    name: AccountName
    rate: Rate | None = Field(None, description="calls in how much time, by all workers together")
    timeout: Duration = Field(timedelta(seconds=20), gt=timedelta(0), description="the longest that a call may take")

    def secrets(self) -> Iterator[str]:
        """The values that no row, log or exception may hold."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                yield value.get_secret_value()


def names(provider: str) -> list[str]:
    """The accounts of a provider that are given here, or known to be given to the workers."""
    return sorted(name for name in {*_given_or_none(), *settings().known_accounts} if belongs(name, provider))


def is_elsewhere(name: str) -> bool:
    """Whether an account is known here by name only: the workers hold its credentials."""
    return name in settings().known_accounts and name not in _given_or_none()


def belongs(name: str, provider: str) -> bool:
    """Whether an account is one of the provider's: named as it, or as it and more (stripe-eu)."""
    return name == provider or name.startswith(f"{provider}-")


def find(name: str, provider: str, model: type[Made]) -> Made:
    """The account of that name. Its secrets are hidden from then on.

    Raises:
        NotConfigured: there is none, or its fields do not fit.
    """
    if not belongs(name, provider):
        raise NotConfigured(f"The account {name} is not one of {provider}'s: those are named {provider} or {provider}-….")
    try:
        fields = given.given().get(name, {})
    except (OSError, ValueError) as error:
        raise NotConfigured(f"TREADLE_ACCOUNTS_PATH cannot be read ({type(error).__name__}).") from None
    try:
        account = model.model_validate({**fields, "name": name})
    except ValidationError as error:
        raise NotConfigured(_mending(name, model, error)) from None
    redaction.hide(account.secrets())
    return account


def _given_or_none() -> Mapping[str, given.Fields]:
    try:
        return given.given()
    except (OSError, ValueError):
        return {}  # `find` says so


def _mending(name: str, model: type[Account], error: ValidationError) -> str:
    parts = [
        (part["loc"], part["type"], plainly(part["msg"])) for part in error.errors(include_input=False, include_url=False)
    ]
    # What is wrong with several fields together is said of none of them.
    wrong = [
        f"{given.variable(name, str(loc[0])) if loc else 'Its fields'}: {why}."
        for loc, kind, why in parts
        if kind != "missing"
    ]
    missing = [_setting(name, str(loc[0]), model) for loc, kind, _ in parts if kind == "missing"]
    line = [f"Set {' '.join(missing)}"] if missing else []
    return " ".join([f"The account {name} is not configured.", *wrong, *line])


def _setting(name: str, field: str, model: type[Account]) -> str:
    example = (model.model_fields[field].examples or ["…"])[0]
    return f"{given.variable(name, field)}={example}"
