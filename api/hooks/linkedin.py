"""LinkedIn: HMAC over the body. https://learn.microsoft.com/en-us/linkedin/shared/api-guide/webhook-validation

The documentation shows the signature with and without `hmacsha256=` before it: both are taken.
"""

from api.hooks.post import Greeting, Post, Setup, Told, dig, kind, text, word
from api.hooks.proof import mac, same
from jobs.errors import Forged


def greet(post: Post, setup: Setup) -> Greeting:
    """The challenge, signed."""
    code = post.query.get("challengeCode", "")
    if not 0 < len(code) <= 100:
        raise Forged("no such handshake")
    return Greeting({"challengeCode": code, "challengeResponse": mac(setup.secrets[0], code).hex()})


@kind("linkedin", "the app's client secret", greet=greet)
def linkedin(post: Post, setup: Setup) -> list[Told]:
    """The notifications of one post, each an event."""
    given = post.header("x-li-signature").removeprefix("hmacsha256=")
    same((mac(secret, post.body).hex() for secret in setup.secrets), [given])
    event = post.object()
    name, found = word(event.get("type"), "notification"), event.get("notifications")
    if not isinstance(found, list):
        return [Told(name, post.digest, event)]
    return [Told(name, text(dig(each, "notificationId"), f"{post.digest}-{at}"), each) for at, each in enumerate(found)]
