"""GitHub, and who signs like it: HMAC over the body. https://docs.github.com/en/webhooks/using-webhooks

The event's name and id are headers that the signature does not cover, so a body is good for one id.
"""

from api.hooks.post import Post, Setup, Told, dig, kind, text, word
from api.hooks.proof import mac, same


@kind("github", "the webhook's secret")
def github(post: Post, setup: Setup) -> list[Told]:
    """One event."""
    same((f"sha256={mac(secret, post.body).hex()}" for secret in setup.secrets), [post.header("x-hub-signature-256")])
    event = post.object()
    action = event.get("action")
    name = word(post.headers.get("x-github-event")) + (f".{word(action)}" if isinstance(action, str) else "")
    subject = text(dig(event, "repository", "full_name")) or None
    return [Told(name, text(post.headers.get("x-github-delivery"), post.digest), event, subject, nonce=post.digest)]
