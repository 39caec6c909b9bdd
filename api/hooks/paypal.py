"""PayPal: RSA over id, time, the webhook's id and the body's CRC32. https://developer.paypal.com/api/rest/webhooks/rest/"""

import zlib
from datetime import datetime

from api.hooks import keys
from api.hooks.post import Post, Setup, Told, dig, kind, text, word
from api.hooks.proof import fresh
from jobs.errors import Forged

HOST = r"(?:[a-z0-9-]+\.){1,3}paypal\.com"


@kind("paypal", instead="webhook_id", needs=("webhook_id",))
def paypal(post: Post, setup: Setup) -> list[Told]:
    """One event. CRC32 is no digest: a body can be forged to it. So the transmission's id is good for one event."""
    transmission, time = post.header("paypal-transmission-id"), post.header("paypal-transmission-time")
    if post.header("paypal-auth-algo") != "SHA256withRSA":
        raise Forged("no such algorithm")
    signed = f"{transmission}|{time}|{setup.options['webhook_id']}|{zlib.crc32(post.body)}"
    keys.rsa(post.header("paypal-cert-url"), HOST, post.header("paypal-transmission-sig"), signed.encode(), "SHA256")
    try:
        fresh(datetime.fromisoformat(time).timestamp())
    except ValueError:
        raise Forged("the signed time is none") from None
    event = post.object()
    name = ".".join(word(part) for part in text(event.get("event_type"), "event").lower().split("."))
    subject = text(dig(event, "resource", "id")) or None
    return [Told(name, text(event.get("id"), post.digest), event, subject, nonce=text(transmission)[:128])]
