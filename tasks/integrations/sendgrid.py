"""SendGrid: e-mail."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, SecretStr

from tasks.accounts import BaseUrl
from tasks.context import Context
from tasks.mail import EXAMPLE, Email, email_send, mailbox, message_id
from tasks.provider import Provider
from tasks.rest import RestAccount, bearer


class SendGrid(RestAccount):
    """An API key with the scope mail.send. In the EU the base_url is https://api.eu.sendgrid.com."""

    api_key: SecretStr = Field(examples=["SG.…"])
    base_url: BaseUrl = "https://api.sendgrid.com"

    def headers(self) -> Mapping[str, str]:
        return bearer(self.api_key)


def _look(account: SendGrid) -> None:
    account.call("GET", "/v3/scopes")


sendgrid = Provider("sendgrid", account=SendGrid, probe=_look)


class Mail(Email):
    """An e-mail, and what SendGrid alone knows."""

    categories: list[Annotated[str, Field(max_length=255)]] = Field([], max_length=10)
    sandbox: bool = Field(False, description="let SendGrid check it, and send nothing")


@sendgrid.task("send", repeatable=False, example=EXAMPLE)
def send(mail: Mail, account: SendGrid, context: Context) -> dict[str, Any]:
    """Send an e-mail through SendGrid.

    SendGrid cannot recognise a message it has seen. The job's id goes along in `custom_args`, and comes back in its events.
    """
    reply = account.call("POST", "/v3/mail/send", json=_body(mail, context))
    return {"message_id": reply.headers.get("x-message-id")}


email_send.by("sendgrid.send")


def _body(mail: Mail, context: Context) -> dict[str, Any]:
    content = {"text/plain": mail.text, "text/html": mail.html}
    body = {
        "personalizations": [{**_recipients(mail), "custom_args": {"job_id": str(context.job_id)}}],
        "from": _address(mail.sender),
        "reply_to": mail.reply_to and _address(mail.reply_to),
        "subject": mail.subject,
        "content": [{"type": kind, "value": value} for kind, value in content.items() if value],
        "headers": {**mail.headers, "Message-ID": message_id(context)},
        "categories": mail.categories,
        "mail_settings": {"sandbox_mode": {"enable": True}} if mail.sandbox else None,
    }
    return {name: value for name, value in body.items() if value}


def _recipients(mail: Mail) -> dict[str, list[dict[str, str]]]:
    """SendGrid refuses an address that is named twice, so the first mention counts."""
    seen: set[str] = set()
    found: dict[str, list[dict[str, str]]] = {}
    for name, texts in (("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc)):
        for address in map(_address, texts):
            if address["email"].lower() not in seen:
                seen.add(address["email"].lower())
                found.setdefault(name, []).append(address)
    return found


def _address(text: str) -> dict[str, str]:
    parts = mailbox(text)
    return {"email": parts.addr_spec, **({"name": parts.display_name} if parts.display_name else {})}
