"""Tokens (JWT, RS256) of Google and Microsoft, by the keys that they publish."""

from typing import Any

from api import jose
from api.hooks import keys
from api.hooks.post import Post
from jobs.errors import Forged
from runtime import clock


def bearer(post: Post, keys_at: str, audience: str, issuers: tuple[str, ...]) -> dict[str, Any]:
    """The claims of the request's token.

    Raises:
        Forged: it is missing, expired, or not by and for whom it should be.
    """
    token = post.header("authorization").removeprefix("Bearer ").strip()
    key = keys.token_key(token, keys_at)
    try:
        claims = jose.claims(token, key, ["RS256"], ["exp", "iat", "iss", "aud"], audience, issuers)
    except ValueError:
        raise Forged("the token does not hold") from None
    if not float(claims["iat"]) - 300 <= clock.now().timestamp() <= float(claims["exp"]):
        raise Forged("the token is not valid now")
    return claims
