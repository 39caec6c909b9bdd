"""What X, LinkedIn and Facebook are asked for. They publish no specification; oauthlib's verifier checks the signature."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from oauthlib.common import Request
from oauthlib.oauth1.rfc5849 import signature
from pytest_httpserver import HTTPServer

from jobs.errors import Ambiguous, RateLimited
from tasks import Context, catalogue, load
from tasks.earlier import pick
from tasks.integrations.x import x
from tasks.provider import ProviderTask
from tests.clock import Clock

Configure = Callable[..., None]


def _run(task: str, **payload: Any) -> Any:
    load()
    found = catalogue.find(task)
    return found.call(found.payload.model_validate(payload), Context(job_id=uuid4(), task=task))


@pytest.fixture
def on_x(httpserver: HTTPServer, configure: Configure) -> HTTPServer:
    secrets = {"api_key": "ck", "api_secret": "cs", "access_token": "1815-t", "access_secret": "ts"}
    configure(**{f"accounts__x__{name}": value for name, value in secrets.items()})
    configure(accounts__x__base_url=httpserver.url_for(""))
    httpserver.expect_request("/2/tweets", method="POST").respond_with_json({"data": {"id": "7"}}, 201)
    return httpserver


def _is_signed(asked: Any) -> bool:
    """Whether oauthlib's verifier, the other half of the protocol, takes the request."""
    request = Request(asked.url, asked.method, None, {"Authorization": asked.headers["authorization"]})
    said = signature.collect_parameters(uri_query=request.uri_query, headers=request.headers)
    request.params = [(name, value) for name, value in said if name != "oauth_signature"]
    every = signature.collect_parameters(headers=request.headers, exclude_oauth_signature=False)
    request.signature = dict(every)["oauth_signature"]
    return bool(signature.verify_hmac_sha1(request, "cs", "ts"))


def test_a_post_on_x_is_signed_by_the_user(on_x: HTTPServer) -> None:
    assert _run("x.post.create", text="Hello", link="https://example.com/a?b=1", reply_to="5", media_ids=["9"]) == {
        "id": "7"
    }
    ((asked, _),) = on_x.log
    assert asked.json == {
        "text": "Hello https://example.com/a?b=1",
        "media": {"media_ids": ["9"]},
        "reply": {"in_reply_to_tweet_id": "5"},
    }
    assert _is_signed(asked)


def test_x_is_asked_for_the_posts_of_the_user_since_the_call(on_x: HTTPServer) -> None:
    load()
    on_x.expect_request("/2/users/1815/tweets", method="GET").respond_with_json({"data": [{"id": "8", "text": "Hello"}]})
    task = catalogue.find("x.post.create")
    assert isinstance(task, ProviderTask)
    assert task.confirm is not None
    context = Context(job_id=uuid4(), task=task.name)
    before = datetime.now(UTC) - timedelta(seconds=7)
    assert task.confirm(task.payload.model_validate({"text": "Hello"}), x.find(), context) == {"id": "8"}
    ((asked, _),) = on_x.log
    assert before <= datetime.fromisoformat(asked.args["start_time"]) <= datetime.now(UTC)
    assert _is_signed(asked)


@pytest.fixture
def on_linkedin(httpserver: HTTPServer, configure: Configure) -> HTTPServer:
    configure(
        accounts__linkedin__access_token="token",
        accounts__linkedin__author="urn:li:organization:1",
        accounts__linkedin__base_url=httpserver.url_for(""),
    )
    return httpserver


def test_a_post_on_linkedin_says_what_was_written(on_linkedin: HTTPServer) -> None:
    on_linkedin.expect_request("/rest/posts", method="POST").respond_with_data(
        "", 201, headers={"x-restli-id": "urn:li:share:1"}
    )
    assert _run("linkedin.post.create", text="50% off (today) #sale @home # \\o/", link="https://example.com") == {
        "id": "urn:li:share:1"
    }
    ((asked, _),) = on_linkedin.log
    assert asked.json["commentary"] == r"50% off \(today\) #sale \@home \# \\o/"
    assert asked.json["content"]["article"]["source"] == "https://example.com"
    assert (asked.headers["linkedin-version"], asked.headers["x-restli-protocol-version"]) == ("202610", "2.0.0")


def test_linkedins_limit_lasts_until_midnight_utc(on_linkedin: HTTPServer, clock: Clock) -> None:
    clock.instant = datetime(2026, 11, 2, 21, 30, tzinfo=UTC)
    on_linkedin.expect_request("/rest/posts", method="POST").respond_with_json({"message": "limit", "status": 429}, 429)
    with pytest.raises(RateLimited) as caught:
        _run("linkedin.post.create", text="Hello")
    assert caught.value.after == timedelta(hours=2, minutes=30)


@pytest.fixture
def on_facebook(httpserver: HTTPServer, configure: Configure) -> HTTPServer:
    configure(
        accounts__facebook__page="1815",
        accounts__facebook__access_token="token",
        accounts__facebook__app_secret="secret",
        accounts__facebook__base_url=httpserver.url_for(""),
    )
    return httpserver


def test_a_post_on_facebook_proves_that_the_app_asks(on_facebook: HTTPServer) -> None:
    on_facebook.expect_request("/v24.0/1815/feed", method="POST").respond_with_json({"id": "1815_1"})
    assert _run("facebook.page.post", text="Hello") == {"id": "1815_1"}
    ((asked, _),) = on_facebook.log
    proof = hmac.new(b"secret", b"token", hashlib.sha256).hexdigest()
    assert asked.form.to_dict() == {"message": "Hello", "access_token": "token", "appsecret_proof": proof}


@pytest.mark.parametrize(
    ("usage", "after"),
    [('{"1815": [{"estimated_time_to_regain_access": 19}]}', timedelta(minutes=19)), ("[1]", None), ('{"1815": 3}', None)],
)
def test_facebook_tells_in_a_header_of_its_own_how_long_to_wait(
    usage: str, after: timedelta | None, on_facebook: HTTPServer
) -> None:
    no = {"error": {"message": "limit", "code": 32}}
    headers = {"x-business-use-case-usage": usage}
    on_facebook.expect_request("/v24.0/1815/feed", method="POST").respond_with_json(no, 400, headers=headers)
    with pytest.raises(RateLimited) as caught:
        _run("facebook.page.post", text="Hello")
    assert caught.value.after == after


def test_what_was_made_since_is_ours_only_with_our_words() -> None:
    assert pick([], lambda made: made == "ours") is None
    assert pick(["other", "ours"], lambda made: made == "ours") == "ours"
    with pytest.raises(Ambiguous, match="A person must look"):
        pick(["other"], lambda made: made == "ours")
