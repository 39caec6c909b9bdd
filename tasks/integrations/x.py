"""X: posts."""

from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import Field, SecretStr, StringConstraints

from jobs.errors import Duplicate, Unauthorized
from tasks import earlier
from tasks.accounts import BaseUrl
from tasks.context import Context
from tasks.provider import Payload, Provider
from tasks.rate import Rate, rate
from tasks.reply import Reply
from tasks.rest import RestAccount
from tasks.social import Post, social_post

PostId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")]


class X(RestAccount):
    """The key and secret of an app that may read and write, and the token and secret of a user, which do not expire."""

    api_key: SecretStr = Field(examples=["…"])
    api_secret: SecretStr = Field(examples=["…"])
    access_token: SecretStr = Field(examples=["1234567890-…"])
    access_secret: SecretStr = Field(examples=["…"])
    base_url: BaseUrl = "https://api.x.com"
    rate: Rate | None = rate("100/15m")  # what a user may post

    @property
    def user_id(self) -> str:
        """The user's: their token begins with it."""
        return self.access_token.get_secret_value().partition("-")[0]

    def ask(self, method: str, path: str, json: Any = None) -> Reply:
        """Make one call, signed as the user's. JSON is not part of what is signed."""
        from oauthlib.oauth1 import Client

        keys = (self.api_key, self.api_secret, self.access_token, self.access_secret)
        signer = Client(*(key.get_secret_value() for key in keys))
        _, headers, _ = signer.sign(self.base_url + path, http_method=method)
        return self.call(method, path, headers=headers, json=json)


def _code(body: dict[str, Any]) -> str | None:
    return "duplicate" if "duplicate content" in body["detail"] else None


def _look(account: X) -> None:
    account.ask("GET", "/2/users/me")


x = Provider(
    "x",
    account=X,
    errors={"duplicate": Duplicate, 402: Unauthorized},  # 402: no credits are left
    code=_code,
    extra="social",
    module="oauthlib",
    probe=_look,
)


class XPost(Post):
    """A post. X counts 280 characters, a link as 23; more only for accounts that pay for it."""

    media_ids: list[PostId] = Field([], max_length=4, description="of media that were uploaded before")
    reply_to: PostId | None = Field(None, description="the id of the post that this one answers")


def _find(post: XPost, account: X, context: Context) -> dict[str, Any] | None:
    query = urlencode({"start_time": f"{earlier.since(context):%Y-%m-%dT%H:%M:%SZ}", "max_results": 100})
    listed = account.ask("GET", f"/2/users/{account.user_id}/tweets?{query}").json().get("data", [])
    found = earlier.pick(listed, lambda made: made["text"] == _text(post))
    return found and {"id": found["id"]}


@x.task(
    "post.create", repeatable=False, confirm=_find, settled=earlier.SETTLED, example={"text": "We have opened in Leipzig."}
)
def create_post(post: XPost, account: X, context: Context) -> dict[str, Any]:
    """Post on X.

    X refuses the same words twice: that counts as done. After an attempt whose end is not known it is asked for the
    user's posts since then. It replaces links, so a post with a link is not recognised among others.
    """
    body = {
        "text": _text(post),
        "media": {"media_ids": post.media_ids} if post.media_ids else None,
        "reply": {"in_reply_to_tweet_id": post.reply_to} if post.reply_to else None,
    }
    reply = account.ask("POST", "/2/tweets", json={name: value for name, value in body.items() if value is not None})
    return {"id": reply.json()["data"]["id"]}


social_post.by("x.post.create")


class XPostId(Payload):
    """A post."""

    id: PostId


@x.task("post.delete", repeatable=True, example={"id": "1346889436626259968"})
def delete_post(post: XPostId, account: X, context: Context) -> dict[str, Any]:
    """Delete a post on X."""
    return {"deleted": account.ask("DELETE", f"/2/tweets/{post.id}").json()["data"]["deleted"]}


def _text(post: Post) -> str:
    return " ".join(filter(None, (post.text, post.link)))
