"""Twilio: HMAC-SHA1 over the URL and the sorted form, or over a URL that holds the digest of a JSON body.

https://www.twilio.com/docs/usage/security#validating-requests
"""

from base64 import b64encode
from urllib.parse import parse_qsl

from api.hooks.post import Post, Setup, Told, job_id, kind, text, word
from api.hooks.proof import mac, same, sha256
from jobs.errors import Forged

_SUBJECTS = (("MessageSid", "message"), ("SmsSid", "message"), ("CallSid", "call"), ("ConferenceSid", "conference"))


@kind("twilio", "the account's auth token", needs=("url",))
def twilio(post: Post, setup: Setup) -> list[Told]:
    """One callback. Those of our own sends come to an address with `?job_id=`."""
    digest = post.query.get("bodySHA256")
    form = {} if digest else _form(post)
    signed = setup.url(post) + "".join(f"{name}{value}" for name in sorted(form) for value in sorted(set(form[name])))
    same((b64encode(mac(secret, signed, "sha1")) for secret in setup.secrets), [post.header("x-twilio-signature")])
    about = job_id(post.query.get("job_id"))
    if digest:
        same([sha256(post.body)], [digest])
        event = post.object()
        return [Told(word(event.get("type"), "event"), text(event.get("id"), post.digest), event, about=about)]
    said = {name: values[-1] for name, values in form.items()}
    what, sid = next(((what, said[name]) for name, what in _SUBJECTS if said.get(name)), ("event", post.digest))
    status = next(
        (said[name] for name in ("MessageStatus", "SmsStatus", "CallStatus", "StatusCallbackEvent") if name in said), ""
    )
    return [Told(f"{what}.{word(status)}", f"{text(sid)}:{text(status)}", said, text(sid) or None, about=about)]


def _form(post: Post) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(post.body.decode(), keep_blank_values=True, strict_parsing=bool(post.body), max_num_fields=1000)
    except ValueError:
        raise Forged("the body is no form") from None
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form
