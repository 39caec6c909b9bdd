"""Facebook: posts of a page."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import Field, SecretStr, StringConstraints

from jobs.errors import Ambiguous, Duplicate, RateLimited, Unauthorized
from tasks import earlier
from tasks.accounts import BaseUrl
from tasks.answers import Answered, Errors
from tasks.context import Context
from tasks.fields import TargetUrl
from tasks.provider import Payload, Provider
from tasks.reply import Reply
from tasks.rest import RestAccount
from tasks.social import POST, Post, Words, social_post


class Facebook(RestAccount):
    """A page and its token, with the permission pages_manage_posts; and the app's secret, if the app demands proof of it."""

    page: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}$")] = Field(examples=["1234567890"])
    access_token: SecretStr = Field(examples=["EAA…"])
    app_secret: SecretStr | None = None
    version: Annotated[str, StringConstraints(pattern=r"^v[0-9]{1,2}\.0$")] = Field("v24.0", description="of the Graph API")
    base_url: BaseUrl = "https://graph.facebook.com"

    def ask(self, method: str, path: str, **said: Any) -> Reply:
        """Make one call as the page.

        Raises:
            Answered: it says no; how long to wait is in a header of Facebook's own.
        """
        fields = {**{name: value for name, value in said.items() if value is not None}, **self._proof()}
        url, form = f"/{self.version}/{path}", fields if method == "POST" else None
        try:
            return self.call(method, url if form else f"{url}?{urlencode(fields)}", form=form)
        except Answered as no:
            raise Answered(no.reply, after=_wait(no.reply.headers)) from None

    def _proof(self) -> dict[str, str]:
        token = self.access_token.get_secret_value()
        if self.app_secret is None:
            return {"access_token": token}
        proof = hmac.new(self.app_secret.get_secret_value().encode(), token.encode(), hashlib.sha256).hexdigest()
        return {"access_token": token, "appsecret_proof": proof}


def _wait(headers: Mapping[str, str]) -> timedelta | None:
    """The longest that a limit of the app or page lasts; None if none is told."""
    try:
        usage = json.loads(headers["x-business-use-case-usage"])
        minutes = [each["estimated_time_to_regain_access"] for limits in usage.values() for each in limits]
        return timedelta(minutes=max(minutes)) or None
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError):
        return None


def _look(account: Facebook) -> None:
    account.ask("GET", "me", fields="id")


# https://developers.facebook.com/docs/graph-api/guides/error-handling; they all come with a 400
_ERRORS: Errors = {
    **dict.fromkeys(("1", "2", "transient"), Ambiguous),  # "unknown", "temporary": whether before or after is not told
    **dict.fromkeys(("4", "17", "32", "613", "80001"), RateLimited),
    **dict.fromkeys(("3", "10", "102", "190", *map(str, range(200, 300))), Unauthorized),  # the token, or a permission
    "506": Duplicate,  # the same post as the last
}


def _code(body: dict[str, Any]) -> str:
    error = body["error"]
    code = str(error["code"])
    return "transient" if error.get("is_transient") and code not in _ERRORS else code


facebook = Provider(
    "facebook",
    account=Facebook,
    errors=_ERRORS,
    code=_code,
    probe=_look,
)


def _find(post: Post, account: Facebook, context: Context) -> dict[str, Any] | None:
    since = int(earlier.since(context).timestamp())
    reply = account.ask("GET", f"{account.page}/feed", fields="id,message", since=since, limit=100)
    found = earlier.pick(reply.json()["data"], lambda made: made.get("message") == post.text)
    return found and {"id": found["id"]}


@facebook.task("page.post", repeatable=False, confirm=_find, settled=earlier.SETTLED, example=POST)
def post(payload: Post, account: Facebook, context: Context) -> dict[str, Any]:
    """Post on a Facebook page.

    After an attempt whose end is not known the page is asked for its posts since then.
    """
    reply = account.ask("POST", f"{account.page}/feed", message=payload.text, link=payload.link)
    return {"id": reply.json()["id"]}


social_post.by("facebook.page.post")


class Photo(Payload):
    """A picture that Facebook fetches."""

    url: TargetUrl
    caption: Words | None = Field(None, max_length=25_000)


@facebook.task(
    "page.photo", repeatable=False, example={"url": "https://example.com/leipzig.jpg", "caption": "Our new office"}
)
def photograph(photo: Photo, account: Facebook, context: Context) -> dict[str, Any]:
    """Put a picture on a Facebook page."""
    made = account.ask("POST", f"{account.page}/photos", url=photo.url, caption=photo.caption).json()
    return {"id": made["id"], "post_id": made.get("post_id")}
