"""Standard Webhooks: Svix, Resend, OpenAI, and other Treadles. https://www.standardwebhooks.com"""

from base64 import b64decode, b64encode

from api.hooks.post import Post, Setup, Told, job_id, kind, text, word
from api.hooks.proof import fresh, mac, same


def _is_base64(secret: str) -> bool:
    try:
        return bool(_key(secret))
    except ValueError:
        return False


@kind("standard", "the endpoint's secret, whsec_…", usable=_is_base64, generic=True)
def standard(post: Post, setup: Setup) -> list[Told]:
    """One event. What a Treadle tells of its jobs is not about ours."""
    message_id, time = post.header("webhook-id"), post.header("webhook-timestamp")
    signed = f"{message_id}.{time}.".encode() + post.body
    given = [part.removeprefix("v1,") for part in post.header("webhook-signature").split() if part.startswith("v1,")]
    same((b64encode(mac(_key(secret), signed)) for secret in setup.secrets), given)
    fresh(time)
    event = post.object()
    about = job_id(event.get("job_id"))
    return [Told(word(event.get("type"), "received"), text(message_id), event, about=about)]


def _key(secret: str) -> bytes:
    return b64decode(secret.removeprefix("whsec_"), validate=True)
