"""Stripe: `Stripe-Signature: t=…,v1=…`, over time and body. https://docs.stripe.com/webhooks#verify-manually"""

from api.hooks.post import Post, Setup, Told, dig, instant, job_id, kind, text, word
from api.hooks.proof import fresh, mac, same


@kind("stripe", "the endpoint's signing secret, whsec_…")
def stripe(post: Post, setup: Setup) -> list[Told]:
    """One event. What our own call caused names our key."""
    parts = [part.partition("=")[::2] for part in post.header("stripe-signature").split(",")]
    time = next((value for name, value in parts if name.strip() == "t"), "")
    signed = f"{time}.".encode() + post.body
    same((mac(secret, signed).hex() for secret in setup.secrets), [value for name, value in parts if name.strip() == "v1"])
    fresh(time)
    event = post.object()
    about = job_id(dig(event, "request", "idempotency_key"))
    subject = dig(event, "data", "object", "id")
    return [
        Told(
            word(event.get("type")),
            text(event.get("id"), post.digest),
            event,
            text(subject) or None,
            instant(event.get("created")),
            about,
        )
    ]
