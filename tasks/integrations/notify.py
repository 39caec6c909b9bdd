"""Notify: a message to Slack, Teams, Discord, Telegram or one of a hundred others, by Apprise."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from jobs.errors import Ambiguous, Rejected
from tasks.accounts import Account, is_loopback
from tasks.clients import Clients
from tasks.context import Context
from tasks.provider import CONNECT, Payload, Provider
from tasks.rate import Rate, rate

if TYPE_CHECKING:
    from apprise import Apprise, NotifyBase

LONG = 8  # characters from which on a part of an address may be a token


def _check(url: SecretStr) -> SecretStr:
    if not re.match(r"[a-z][a-z0-9]*://.", url.get_secret_value()):
        raise ValueError("an address of Apprise's begins with a service: slack://…")
    return url


class Notify(Account):
    """Where messages go: one target, as an address of Apprise's (https://appriseit.com/services). It is best to name the
    account after what it is for: notify-ops."""

    url: Annotated[SecretStr, AfterValidator(_check)] = Field(examples=["slack://…"])
    rate: Rate | None = rate("1/s")  # what Slack and Telegram allow for one target

    def secrets(self) -> Iterator[str]:
        """The address, and each part of it that may be a token: not the names of its query, nor a host with a domain."""
        yield (url := self.url.get_secret_value())
        parts = urlsplit(url)
        user, _, where = parts.netloc.rpartition("@")
        host, *after = where.split(":")
        said = [*user.split(":"), *after, *parts.path.split("/"), *dict(parse_qsl(parts.query)).values()]
        for word in said if "." in host else [host, *said]:
            if len(word) >= LONG:
                yield from {word, unquote(word)}


def _connect(account: Notify) -> "Apprise":
    import apprise

    asset = apprise.AppriseAsset(
        app_id="Treadle", app_desc="Treadle", async_mode=False, http_redirects=False, service_timeout=0
    )
    target = apprise.Apprise.instantiate(account.url.get_secret_value(), asset=asset)
    if target is None:
        raise _unfit(account, "Apprise does not know such an address")
    if len(target) != 1:
        raise _unfit(account, "it names several targets, or repeats; each target needs an account of its own")
    if _is_open(target):
        raise _unfit(account, "it goes in the clear, and not to this machine")
    target.optional = False  # if it were, a failure would be called a success
    target.overflow_mode = apprise.OverflowMode.UPSTREAM  # one message is one request
    target.request_rate_per_sec = 0  # the account's rate holds, for all workers
    target.socket_connect_timeout, target.socket_read_timeout = CONNECT, account.timeout.total_seconds()
    client = apprise.Apprise(asset=asset)
    client.add(target)
    return client


def _is_open(target: "NotifyBase") -> bool:
    schemes = target.protocol or ()
    scheme = str(target.url()).partition(":")[0]  # type: ignore[no-untyped-call]
    return scheme in ({schemes} if isinstance(schemes, str) else schemes) and not is_loopback(target.host or "localhost")


def _unfit(account: Notify, why: str) -> Rejected:
    return Rejected(f"The url of the account {account.name} does not do: {why}.", code="not_configured")


targets = Clients(_connect)

notify = Provider("notify", account=Notify, extra="notify", module="apprise")

Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*\S[^\x00-\x08\x0b-\x1f\x7f]*$")]


class Message(Payload):
    """A message for people."""

    title: Annotated[Text, Field(max_length=250)] | None = None
    body: Text = Field(max_length=32_000, description="services may take less: Discord 2000 characters, Telegram 4096")
    format: Literal["text", "markdown", "html"] = Field(
        "text", description="what body is; it is made into what the service takes"
    )
    kind: Literal["info", "success", "warning", "failure"] = Field("info", description="its colour, where there are colours")


@notify.task("send", repeatable=False, example={"title": "Nightly report", "body": "42 orders, 2 refunds."})
def send(message: Message, account: Notify, context: Context) -> dict[str, Any]:
    """Send a message to an account's target.

    Apprise tells whether it was delivered. If it says no, it does not say why, so it may have been. Where a message twice is
    better than none, say `"on_unknown": "retry"` in the job's policy.
    """
    client = targets.get(account)
    (target,) = client
    if len(message.body) + len(message.title or "") + 2 > target.body_maxlen:  # a title may become the first line
        raise Rejected(f"{target.service_name} takes {target.body_maxlen} characters at most.", code="too_long")
    with client.notify(message.body, message.title or "", message.kind, message.format) as result:
        if not result:
            words = " ".join(entry.message for entry in result.logs())
            raise Ambiguous(
                f"Apprise could not deliver it by {target.service_name}. {words}", code=result.status.name.lower()
            )
    return {"service": str(target.service_name)}
