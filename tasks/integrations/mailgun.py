"""Mailgun: e-mail."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Self
from urllib.parse import urlencode

from pydantic import Field, SecretStr, StringConstraints, model_validator

from jobs.errors import Ambiguous
from tasks.accounts import BaseUrl
from tasks.answers import Answered
from tasks.context import Context
from tasks.mail import EXAMPLE, Email, email_send, mailbox, message_id
from tasks.provider import Provider
from tasks.reply import Reply
from tasks.rest import RestAccount, basic

SETTLED = timedelta(minutes=30)  # events come by several ways; Mailgun calls a page older than that trustworthy
SHOWN = timedelta(days=2)  # events are kept for three days at least
PAGE = 300  # events, the most that Mailgun gives at once

_AGAIN = re.compile(r"try again after (\d{1,6}) seconds")
_PLAIN = re.compile(
    r"[a-z0-9._+-]+@[a-z0-9.-]+"
)  # other addresses might mean something in a filter, or be kept in other case


class Mailgun(RestAccount):
    """A key that may send, and read events, for one domain. In the EU the base_url is https://api.eu.mailgun.net."""

    api_key: SecretStr = Field(examples=["key-…"])
    domain: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$", max_length=253)] = Field(
        description="that mail is sent from, such as mg.example.com, or a sandbox….mailgun.org", examples=["mg.example.com"]
    )
    base_url: BaseUrl = "https://api.mailgun.net"

    def headers(self) -> Mapping[str, str]:
        return basic("api", self.api_key)

    def call(self, method: str, path: str, **options: Any) -> Reply:
        """As any account's; when to come back may stand in the words."""
        try:
            return super().call(method, path, **options)
        except Answered as answered:
            asked = _AGAIN.search(answered.reply.text(4000))
            if asked is None:
                raise
            raise Answered(answered.reply, after=timedelta(seconds=int(asked[1]))) from None


def _look(account: Mailgun) -> None:
    account.call("GET", "/v4/domains?limit=1")


mailgun = Provider("mailgun", account=Mailgun, probe=_look)


class Mail(Email):
    """An e-mail, and what Mailgun alone knows."""

    tags: list[Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]+$", max_length=128)]] = Field([], max_length=10)
    sandbox: bool = Field(False, description="let Mailgun take it as any other, and deliver nothing")

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        if sum(map(len, [*self.headers, *self.headers.values(), *self.tags])) > 15_000:
            raise ValueError("headers and tags have more than 15,000 characters; Mailgun takes 16 KB with its own")
        return self


def _was_sent(mail: Mail, account: Mailgun, context: Context) -> dict[str, Any] | None:
    """Look for the job's id among what was accepted for the first recipient since the job came."""
    asked = {"begin": int(context.accepted_at.timestamp()), "ascending": "yes", "limit": PAGE, "event": "accepted"}
    first = mailbox(mail.to[0]).addr_spec
    if _PLAIN.fullmatch(first):
        asked["recipient"] = first
    events = account.call("GET", f"/v3/{account.domain}/events?{urlencode(asked)}").json()["items"]
    for event in events:
        if event.get("user-variables", {}).get("job_id") == str(context.job_id):
            return {"message_id": f"<{event['message']['headers']['message-id']}>"}
    if len(events) >= PAGE:
        raise Ambiguous(f"Mailgun has {PAGE} events and more since this job came; it is not among the first.")
    return None


@mailgun.task("send", repeatable=False, confirm=_was_sent, settled=SETTLED, shown=SHOWN, example=EXAMPLE)
def send(mail: Mail, account: Mailgun, context: Context) -> dict[str, Any]:
    """Send an e-mail through Mailgun.

    The job's id goes along as the variable `job_id`, and comes back in its events: by them an attempt whose end is not known
    is looked up, half an hour later, when they surely are there.
    """
    reply = account.call("POST", f"/v3/{account.domain}/messages", parts=list(_parts(mail, context)))
    return {"message_id": reply.json()["id"]}


email_send.by("mailgun.send")


def _parts(mail: Mail, context: Context) -> Iterator[tuple[str, str]]:
    yield "from", str(mailbox(mail.sender))
    for name, mailboxes in (
        ("to", mail.to),
        ("cc", mail.cc),
        ("bcc", mail.bcc),
        ("h:Reply-To", filter(None, [mail.reply_to])),
    ):
        yield from ((name, str(mailbox(text))) for text in mailboxes)
    yield "subject", mail.subject
    yield from ((name, body) for name, body in (("text", mail.text), ("html", mail.html)) if body is not None)
    yield from ((f"h:{name}", value) for name, value in mail.headers.items())
    yield "h:Message-Id", message_id(context)
    yield "v:job_id", str(context.job_id)
    yield from (("o:tag", tag) for tag in mail.tags)
    if mail.sandbox:
        yield "o:testmode", "yes"
