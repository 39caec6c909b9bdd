"""Square: HMAC over the notification URL and the body. https://developer.squareup.com/docs/webhooks/step3validate"""

from base64 import b64encode

from api.hooks.post import Post, Setup, Told, dig, kind, text, word
from api.hooks.proof import mac, same


@kind("square", "the subscription's signature key", needs=("url",))
def square(post: Post, setup: Setup) -> list[Told]:
    """One event."""
    signed = setup.url(post).encode() + post.body
    same((b64encode(mac(secret, signed)) for secret in setup.secrets), [post.header("x-square-hmacsha256-signature")])
    event = post.object()
    subject = text(dig(event, "data", "id")) or None
    return [Told(word(event.get("type")), text(event.get("event_id"), post.digest), event, subject)]
