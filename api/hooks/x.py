"""X: HMAC over the body, and a challenge to be signed. https://docs.x.com/x-api/webhooks/introduction"""

from base64 import b64encode

from api.hooks.post import Greeting, Post, Setup, Told, kind, text
from api.hooks.proof import mac, same
from jobs.errors import Forged


def greet(post: Post, setup: Setup) -> Greeting:
    """The challenge, signed."""
    if not 0 < len(post.query.get("crc_token", "")) <= 500:
        raise Forged("no such handshake")
    return Greeting({"response_token": _signature(setup.secrets[0], post.query["crc_token"])})


@kind("x", "the app's consumer secret", greet=greet)
def x(post: Post, setup: Setup) -> list[Told]:
    """One post with events of one kind. It has no id, so its content is."""
    expected = (_signature(secret, post.body) for secret in setup.secrets)
    same(expected, [post.header("x-twitter-webhooks-signature")])
    event = post.object()
    name = next((name.removesuffix("_events") for name in event if name.endswith("_events")), "event")
    return [Told(name, post.digest, event, text(event.get("for_user_id")) or None)]


def _signature(secret: str, signed: str | bytes) -> str:
    return f"sha256={b64encode(mac(secret, signed)).decode()}"
