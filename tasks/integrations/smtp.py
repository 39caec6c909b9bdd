"""SMTP: any mail server."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr

from tasks.accounts import Account
from tasks.context import Context
from tasks.mail import EXAMPLE, Email, compose, email_send, mailbox
from tasks.provider import Provider
from tasks.smtp import Server, announce, hand_over, session


def _check(url: SecretStr) -> SecretStr:
    Server.at(url.get_secret_value())
    return url


class Smtp(Account):
    """A mail server: smtp:// (587, STARTTLS) or smtps:// (465), with user and password if it asks for them."""

    url: Annotated[SecretStr, AfterValidator(_check), Field(examples=["smtp://USER:PASSWORD@HOST:587"])]


def _greet(account: Smtp) -> None:
    with session(Server.at(account.url.get_secret_value()), "treadle.invalid") as connection:
        connection.noop()


smtp = Provider("smtp", account=Smtp, probe=_greet)


@smtp.task("send", repeatable=False, timeout=timedelta(minutes=2), example=EXAMPLE)
def send(payload: Email, account: Smtp, context: Context) -> dict[str, Any]:
    """Send an e-mail over SMTP; a recipient who is refused while others are not is told in the result.

    SMTP cannot recognise a message it has seen, nor be asked about one: if the end of an attempt is not known, a person must
    look. The Message-ID is the same on every attempt.
    """
    message, sender = compose(payload, context), mailbox(payload.sender)
    with session(Server.at(account.url.get_secret_value()), sender.domain, context) as connection:
        accepted, refused = announce(connection, sender.addr_spec, payload.recipients(), context)
        hand_over(connection, message.as_bytes(), context)
    return {"message_id": message["Message-ID"], "accepted": accepted, "refused": refused}


email_send.by("smtp.send")
