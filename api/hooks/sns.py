"""Amazon SNS, and so SES and S3: RSA over some fields of the JSON.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import re
from datetime import datetime
from typing import Any, Literal

from api import body
from api.hooks import keys
from api.hooks.post import Post, Setup, Told, kind, text
from api.hooks.proof import fresh
from api.problems import Refused
from jobs.errors import Forged

HOST = r"sns\.[a-z0-9-]{1,30}\.amazonaws\.com(?:\.cn)?"
LATEST = 3600.0  # seconds: a message that is delivered again keeps its time
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_DIGESTS: dict[str, Literal["SHA1", "SHA256"]] = {"1": "SHA1", "2": "SHA256"}


@kind("sns", instead="topics", needs=("topics",))
def sns(post: Post, setup: Setup) -> list[Told]:
    """One message of a topic that the options name. A topic's wish to be confirmed is granted."""
    message = post.object()
    fields = _SIGNED.get(text(message.get("Type")))
    digest = _DIGESTS.get(text(message.get("SignatureVersion")))
    if (
        fields is None
        or digest is None
        or not all(isinstance(message.get(name, ""), str) for name in (*fields, "Signature"))
    ):
        raise Forged("this is no message that SNS signs")
    signed = "".join(f"{name}\n{message[name]}\n" for name in fields if name in message)
    if text(message.get("TopicArn")) not in setup.options["topics"].split(","):
        raise Forged("the topic is not ours")
    keys.rsa(text(message.get("SigningCertURL")), HOST, message.get("Signature", ""), signed.encode(), digest)
    at = _time(message["Timestamp"])
    fresh(at.timestamp(), LATEST)
    if message["Type"] == "SubscriptionConfirmation":
        url = message["SubscribeURL"]
        if not re.fullmatch(rf"https://{HOST}/\S*", url, re.ASCII):
            raise Forged("the address to confirm is not the provider's")
        return [Told("subscription", message["MessageId"], {"topic": message["TopicArn"]}, at=at, visit=url)]
    return [Told("notification", message["MessageId"], _content(message), message["TopicArn"], at)]


def _content(message: dict[str, Any]) -> dict[str, Any]:
    """The message, its content as JSON if it is such (SES and S3 send that)."""
    try:
        content = body.read(message["Message"].encode())
    except Refused:
        content = message["Message"]
    return {"topic": message["TopicArn"], "subject": message.get("Subject"), "message": content}


def _time(given: str) -> datetime:
    try:
        return datetime.fromisoformat(given)
    except ValueError:
        raise Forged("the signed time is none") from None
