"""Mailgun: the signature stands in the JSON and covers time and token, not the body: a token is good for one body.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
"""

from api.hooks.post import Post, Setup, Told, dig, instant, job_id, kind, text, word
from api.hooks.proof import fresh, mac, same
from jobs.errors import Forged


@kind("mailgun", "the webhook signing key")
def mailgun(post: Post, setup: Setup) -> list[Told]:
    """One event. Those of our own sends carry the job's id in the user variables."""
    given = post.object()
    time, token, signature = (dig(given, "signature", name) for name in ("timestamp", "token", "signature"))
    if not (isinstance(time, str | int) and isinstance(token, str) and isinstance(signature, str)):
        raise Forged("there is no signature")
    same((mac(secret, f"{time}{token}").hex() for secret in setup.secrets), [signature])
    fresh(time)
    event = given.get("event-data")
    about = job_id(dig(event, "user-variables", "job_id"))
    subject, at = text(dig(event, "recipient")) or None, instant(dig(event, "timestamp"))
    return [
        Told(
            word(dig(event, "event")),
            text(dig(event, "id"), post.digest),
            event,
            subject,
            at,
            about,
            nonce=text(token)[:128],
        )
    ]
