"""Google Pub/Sub push, and so Cloud Storage: Google's token. https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions"""

import base64
from typing import Any

from api import body
from api.hooks.post import Post, Setup, Told, dig, kind, text, word
from api.hooks.proof import same
from api.hooks.tokens import bearer
from api.problems import Refused
from jobs.errors import Forged, Invalid

KEYS = "https://www.googleapis.com/oauth2/v3/certs"
ISSUERS = ("https://accounts.google.com", "accounts.google.com")


@kind("pubsub", instead="audience", needs=("audience", "email"))
def pubsub(post: Post, setup: Setup) -> list[Told]:
    """One message. The token does not cover it: a message's id is good once, and TLS must do the rest."""
    claims = bearer(post, KEYS, setup.options["audience"], ISSUERS)
    same([setup.options["email"]], [text(claims.get("email"))])
    if claims.get("email_verified") is not True:
        raise Forged("the token's e-mail is not verified")
    given = post.object()
    message_id = dig(given, "message", "messageId")
    if not isinstance(message_id, str) or not message_id:
        raise Invalid.at("/message/messageId", "It is missing.")
    attributes = dig(given, "message", "attributes") or {}
    name = word(dig(attributes, "eventType"), "message").lower()
    data = {
        "attributes": attributes,
        "data": _content(dig(given, "message", "data")),
        "subscription": given.get("subscription"),
    }
    return [Told(name, text(message_id), data, text(dig(attributes, "objectId")) or None)]


def _content(encoded: Any) -> Any:
    """The message's data, as JSON if it is such, else as it came: base64."""
    try:
        return body.read(base64.b64decode(encoded, validate=True)) if isinstance(encoded, str) else None
    except (ValueError, Refused):
        return encoded
