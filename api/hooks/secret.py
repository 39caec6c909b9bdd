"""A secret in the path, or as Basic or Bearer: for providers that sign nothing (Mixpanel, Amplitude, Algolia, Maps)."""

from base64 import b64decode

from api.hooks.post import Post, Setup, Told, dig, job_id, kind, text, word
from api.hooks.proof import same


@kind(
    "secret",
    "any secret: the last part of the path, a Basic password, or a Bearer token",
    takes=("id", "type"),
    generic=True,
)
def secret(post: Post, setup: Setup) -> list[Told]:
    """One event. Its id and type stand where the options say (a path with dots); else its content is its id."""
    same(setup.secrets, [given for given in (post.token, _authorization(post)) if given])
    event = post.json()
    found = text(dig(event, *setup.options.get("id", "id").split(".")), post.digest)
    name = word(dig(event, *setup.options.get("type", "type").split(".")), "received")
    return [Told(name, found, event, about=job_id(dig(event, "job_id")))]


def _authorization(post: Post) -> str:
    scheme, _, given = post.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            return b64decode(given, validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return given if scheme.lower() == "bearer" else ""
