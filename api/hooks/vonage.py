"""Vonage: a token (JWT, HS256) that holds the digest of the body. https://developer.vonage.com/en/getting-started/concepts/webhooks"""

from typing import Any

from api import jose
from api.hooks.post import Post, Setup, Told, job_id, kind, text, word
from api.hooks.proof import fresh, same, sha256
from jobs.errors import Forged


@kind("vonage", "the account's signature secret")
def vonage(post: Post, setup: Setup) -> list[Told]:
    """One callback. Those of our own sends carry the job's id as `client_ref`."""
    claims = _claims(post.header("authorization").removeprefix("Bearer ").strip(), setup)
    same([sha256(post.body)], [text(claims.get("payload_hash"))])
    fresh(claims["iat"])
    event = post.object()
    sid = text(event.get("message_uuid") or event.get("uuid"), post.digest)
    status = word(event.get("status"), "event")
    return [Told(status, f"{sid}:{status}", event, sid, about=job_id(event.get("client_ref")))]


def _claims(token: str, setup: Setup) -> dict[str, Any]:
    for secret in setup.secrets:
        try:
            return jose.claims(token, secret, ["HS256"], ["iat"])
        except ValueError:
            continue
    raise Forged("the token does not hold")
