"""An e-mail, as every provider of mail takes it."""

import re
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from runtime import clock
from tasks.capability import Capability
from tasks.context import Context
from tasks.fields import HeaderName, HeaderValue, Shape, Subject
from tasks.provider import Payload

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_MAILBOX = re.compile(
    r'(?:(?P<quote>")?(?P<name>[^"<>\\\x00-\x1f\x7f\x85\u2028\u2029]+?)(?(quote)")[ ]*<)?'
    rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)@(?P<domain>{_LABEL}(?:\.{_LABEL})*)(?(name)>)"
)
_OURS = re.compile(
    r"from|to|cc|bcc|subject|reply-to|date|message-id|return-path|received|mime-version|content-.*|x-treadle-job",
    re.IGNORECASE,
)
# Long lines are legal, and folding would encode a long URL in a header (List-Unsubscribe) so that no one can read it.
_POLICY = SMTP.clone(max_line_length=990, cte_type="7bit")


def mailbox(text: str) -> Address:
    """The parts of a mailbox. Raises ValueError if it is none."""
    match = _MAILBOX.fullmatch(text)
    if match is None or len(match["local"]) > 64 or len(match["local"]) + len(match["domain"]) > 253:
        raise ValueError('a mailbox reads "ada@example.com" or "Ada Lovelace <ada@example.com>", in ASCII behind the name')
    return Address((match["name"] or "").strip(), match["local"], match["domain"])


def _check_mailbox(text: str) -> str:
    mailbox(text)
    return text


Mailbox = Annotated[
    str, Field(min_length=3, max_length=400, examples=["Ada <ada@example.com>"]), AfterValidator(_check_mailbox)
]


class Message(Shape):
    """The message: text, html, or both as alternatives."""

    sender: Annotated[Mailbox, Field(alias="from")]
    to: Annotated[list[Mailbox], Field(min_length=1, max_length=50)]
    cc: list[Mailbox] = Field([], max_length=50)
    bcc: list[Mailbox] = Field([], max_length=50)
    reply_to: Mailbox | None = None
    subject: Subject
    text: Annotated[str | None, Field(max_length=1_048_576)] = None
    html: Annotated[str | None, Field(max_length=1_048_576)] = None
    headers: dict[HeaderName, HeaderValue] = Field({}, max_length=20)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.text is None and self.html is None:
            raise ValueError("give text, html or both")
        return self

    @model_validator(mode="after")
    def _headers_are_theirs(self) -> Self:
        ours = sorted(name for name in self.headers if _OURS.fullmatch(name))
        if ours:
            raise ValueError(f"these headers are made from the other fields and cannot be given: {', '.join(ours)}")
        if len({name.lower() for name in self.headers}) < len(self.headers):
            raise ValueError("a header is given twice; names do not differ by case")
        return self

    def recipients(self) -> list[str]:
        """Each address once."""
        return list(dict.fromkeys(mailbox(text).addr_spec for text in (*self.to, *self.cc, *self.bcc)))


class Email(Message, Payload):
    """A message, and whose credentials send it."""


def message_id(context: Context) -> str:
    """The Message-ID of a job's message."""
    return f"<{context.key()}@treadle>"


def compose(payload: Email, context: Context) -> EmailMessage:
    """The message as it goes over the wire. Its Message-ID is the same on every attempt."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = mailbox(payload.sender)
    for name, mailboxes in (("To", payload.to), ("Cc", payload.cc), ("Reply-To", filter(None, [payload.reply_to]))):
        if addresses := [mailbox(text) for text in mailboxes]:
            message[name] = addresses
    message["Subject"] = payload.subject
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = message_id(context)
    message["X-Treadle-Job"] = str(context.job_id)
    for name, value in payload.headers.items():
        message[name] = value
    if payload.text is not None:
        message.set_content(payload.text)
        if payload.html is not None:
            message.add_alternative(payload.html, subtype="html")
    elif payload.html is not None:
        message.set_content(payload.html, subtype="html")
    return message


EXAMPLE: dict[str, Any] = {
    "from": "Treadle <noreply@example.com>",
    "to": ["Ada Lovelace <ada@example.com>"],
    "subject": "Your report is ready",
    "text": "Dear Ada, it is at https://example.com/reports/1.",
}

email_send = Capability.of(
    "email.send",
    Message,
    "Send an e-mail by the first account that can.",
    alike=True,
    timeout=timedelta(minutes=2),
    example=EXAMPLE,
)
