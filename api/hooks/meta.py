"""Facebook, Instagram, WhatsApp. https://developers.facebook.com/docs/graph-api/webhooks/getting-started"""

import json

from api.hooks.post import Greeting, Post, Setup, Told, dig, instant, kind, text, word
from api.hooks.proof import mac, same, sha256
from jobs.errors import Forged, Invalid


def greet(post: Post, setup: Setup) -> Greeting:
    """The challenge comes back to who knows the verify token."""
    if post.query.get("hub.mode") != "subscribe":
        raise Forged("no such handshake")
    same([setup.options["verify_token"]], [post.query.get("hub.verify_token", "")])
    return Greeting(post.query.get("hub.challenge", "")[:200])


@kind("meta", "the app's secret", greet=greet, needs=("verify_token",))
def meta(post: Post, setup: Setup) -> list[Told]:
    """Each entry is an event; it has no id, so its content is."""
    same((f"sha256={mac(secret, post.body).hex()}" for secret in setup.secrets), [post.header("x-hub-signature-256")])
    given = post.object()
    entries = given.get("entry")
    if not isinstance(entries, list):
        raise Invalid.at("/entry", "An array is wanted.")
    return [
        Told(
            word(given.get("object")),
            f"{text(dig(entry, 'id'))}:{text(dig(entry, 'time'))}:{sha256(json.dumps(entry, sort_keys=True).encode())[:32]}",
            entry,
            text(dig(entry, "id")) or None,
            instant(dig(entry, "time")),
        )
        for entry in entries
    ]
