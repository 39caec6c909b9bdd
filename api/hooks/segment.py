"""Segment: HMAC-SHA1 over the body. Of a batch only the first event is signed, so batches are refused.

https://segment.com/docs/connections/destinations/catalog/webhooks/#authentication
"""

from api.hooks.post import Post, Setup, Told, kind, text, word
from api.hooks.proof import mac, same
from jobs.errors import Invalid


@kind("segment", "the destination's shared secret")
def segment(post: Post, setup: Setup) -> list[Told]:
    """One event."""
    same((mac(secret, post.body, "sha1").hex() for secret in setup.secrets), [post.header("x-signature")])
    event = post.object()
    if "batch" in event:
        raise Invalid.at("/batch", "The signature covers only the first event of a batch. Send them one by one.")
    return [
        Told(word(event.get("type")), text(event.get("messageId"), post.digest), event, text(event.get("userId")) or None)
    ]
