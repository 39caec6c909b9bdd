"""LinkedIn: posts of a person or an organization."""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Annotated, Any

from pydantic import Field, SecretStr, StringConstraints

from jobs.errors import Duplicate
from runtime import clock
from tasks.accounts import BaseUrl
from tasks.answers import Answered
from tasks.context import Context
from tasks.provider import Provider
from tasks.rest import RestAccount, bearer
from tasks.social import POST, Post, Words, social_post

# https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/little-text-format; a #tag stays one
_RESERVED = re.compile(r"[|{}@\[\]()<>\\*_~]|#(?!\w)")


class LinkedIn(RestAccount):
    """A token with the scope w_member_social or w_organization_social, which lives for 60 days, and whose posts it makes."""

    access_token: SecretStr = Field(examples=["…"])
    author: Annotated[str, StringConstraints(pattern=r"^urn:li:(person|organization):[A-Za-z0-9_-]{1,64}$")] = Field(
        examples=["urn:li:organization:5515715"]
    )
    version: Annotated[str, StringConstraints(pattern=r"^20[0-9]{4}$")] = Field(
        "202610", description="of the API: a month; each is served for about a year"
    )
    base_url: BaseUrl = "https://api.linkedin.com"

    def headers(self) -> Mapping[str, str]:
        return {
            **bearer(self.access_token),
            "linkedin-version": self.version,
            "x-restli-protocol-version": "2.0.0",
        }


def _code(body: dict[str, Any]) -> str | None:
    return "duplicate" if "duplicate" in body["message"].lower() else body.get("code")


def _look(account: LinkedIn) -> None:
    account.call("GET", "/v2/userinfo")


linkedin = Provider("linkedin", account=LinkedIn, errors={"duplicate": Duplicate}, code=_code, probe=_look)


class LinkedInPost(Post):
    """A post, which everyone may see."""

    text: Words | None = Field(None, max_length=3000)
    title: Annotated[str, Field(max_length=400)] | None = Field(None, description="of the page that the link points to")


@linkedin.task("post.create", repeatable=False, example=POST)
def create_post(post: LinkedInPost, account: LinkedIn, context: Context) -> dict[str, Any]:
    """Post on LinkedIn.

    LinkedIn refuses the same post twice within a while: that counts as done. Its limits are by the day, until
    midnight UTC.
    """
    body: dict[str, Any] = {
        "author": account.author,
        "commentary": _RESERVED.sub(r"\\\g<0>", post.text or ""),
        "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
    }
    if post.link is not None:
        body["content"] = {"article": {"source": post.link, "title": post.title or post.link}}
    reply = account.call("POST", "/rest/posts", json=body, fine=(429,))
    if reply.status == 429:
        raise Answered(reply, after=None if "retry-after" in reply.headers else _until_midnight())
    return {"id": reply.headers["x-restli-id"]}


social_post.by("linkedin.post.create")


def _until_midnight() -> timedelta:
    now = clock.now()
    return datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo) - now
