"""webhook.deliver: signed so that the reference library verifies it, and retried as the specification says."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook, WebhookVerificationError

from jobs.errors import Ambiguous, Invalid, Rejected, TaskError, Transient
from jobs.outcome import Failed, TryAgain, judge
from jobs.states import Reason
from tasks import Context, catalogue, http, load
from tasks.context import enter, leave
from tests.unit.tasks.peers import read_request, serving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "b3RoZXItc2VjcmV0LW9mLTI0LWJ5dGVz"
ACCEPTED = datetime(2026, 1, 15, 12, 0, 0, 5000, tzinfo=UTC)
JOB = UUID(int=(int(ACCEPTED.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | 12345)


@pytest.fixture(autouse=True)
def context(configure: Callable[..., None]) -> Iterator[Context]:
    configure(allow_private_targets=1, webhook_secret=SECRET)
    load()
    attempt = Context(job_id=JOB, task="webhook.deliver")
    token = enter(attempt)
    yield attempt
    leave(token)
    http.close()


def run(context: Context, **payload: Any) -> Any:
    task = catalogue.find("webhook.deliver")
    return task.call(task.read({"type": "invoice.paid", "data": {"id": 1, "who": "ü"}} | payload), context)


def test_the_reference_library_verifies_it(httpserver: HTTPServer, context: Context) -> None:
    httpserver.expect_request("/hook").respond_with_data("", status=204)
    result = run(context, url=httpserver.url_for("/hook"))
    assert (result["id"], result["status"]) == (str(JOB), 204)
    request = httpserver.log[0][0]
    headers = dict(request.headers)
    event = Webhook(SECRET).verify(request.get_data(), headers)
    assert event == {"type": "invoice.paid", "timestamp": ACCEPTED.isoformat(), "data": {"id": 1, "who": "ü"}}
    assert request.headers["Webhook-Id"] == str(JOB)
    assert request.content_type == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(request.get_data(), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.get_data().replace(b"1", b"2"), headers)


def test_an_attempt_later_sends_the_same_body_and_id_signed_anew(
    httpserver: HTTPServer, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request("/").respond_with_data("ok")
    run(context, url=httpserver.url_for("/"))
    later = datetime.now(UTC) + timedelta(hours=2)
    monkeypatch.setattr("runtime.clock.now", lambda: later)
    run(context, url=httpserver.url_for("/"))
    first, second = (request for request, _ in httpserver.log)
    assert first.get_data() == second.get_data()
    assert first.headers["Webhook-Id"] == second.headers["Webhook-Id"]
    assert second.headers["Webhook-Timestamp"] == str(int(later.timestamp()))
    assert first.headers["Webhook-Signature"] != second.headers["Webhook-Signature"]


def test_id_and_timestamp_of_the_caller(httpserver: HTTPServer, context: Context) -> None:
    httpserver.expect_request("/").respond_with_data("ok")
    run(context, url=httpserver.url_for("/"), id="msg_1", timestamp="2020-02-02T02:02:02+01:00")
    request = httpserver.log[0][0]
    assert request.headers["Webhook-Id"] == "msg_1"
    assert json.loads(request.get_data())["timestamp"] == "2020-02-02T02:02:02+01:00"


def test_two_secrets_during_a_rotation(httpserver: HTTPServer, context: Context, configure: Callable[..., None]) -> None:
    configure(webhook_secret=f"{OTHER} {SECRET}")
    httpserver.expect_request("/").respond_with_data("ok")
    run(context, url=httpserver.url_for("/"))
    request = httpserver.log[0][0]
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(request.get_data(), dict(request.headers))


@pytest.mark.parametrize("secret", ["", "  ", "whsec_", "whsec_x", "whsec_é"])
def test_without_a_usable_secret_it_says_what_mends_it(
    secret: str, configure: Callable[..., None], context: Context, httpserver: HTTPServer
) -> None:
    configure(webhook_secret=secret)
    with pytest.raises(Rejected, match=r'TREADLE_WEBHOOK_SECRET="whsec_\$\(openssl rand -base64 24\)"') as caught:
        run(context, url=httpserver.url_for("/"))
    assert caught.value.code == "not_configured"
    assert not httpserver.log


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Transient) for status in (301, 302, 307, 400, 401, 403, 404, 409, 422, 500, 501, 502, 503, 504)),
        *((410, Rejected), (429, Transient)),
    ],
)
def test_only_2xx_is_success_and_only_410_is_final(
    status: int, kind: type[TaskError], httpserver: HTTPServer, context: Context
) -> None:
    httpserver.expect_request("/").respond_with_data(
        "no", status=status, headers={"Location": "/other", "Retry-After": "77"}
    )
    with pytest.raises(TaskError) as caught:
        run(context, url=httpserver.url_for("/"))
    assert type(caught.value) is kind
    assert caught.value.status == status
    if isinstance(caught.value, Transient):
        assert caught.value.after == timedelta(seconds=77)
    assert len(httpserver.log) == 1


def test_a_dropped_connection_is_tried_again(context: Context) -> None:
    policy = catalogue.find("webhook.deliver").retry
    with serving() as serve, pytest.raises(Ambiguous) as caught:
        run(context, url=f"http://127.0.0.1:{serve(lambda connection: read_request(connection) and None)}/")
    assert isinstance(judge(caught.value, attempt=1, age=timedelta(0), policy=policy), TryAgain)


def test_the_schedule_is_that_of_the_specification() -> None:
    policy = catalogue.find("webhook.deliver").retry
    delays, age, attempt = [], timedelta(0), 1
    while isinstance(verdict := judge(Transient(), attempt=attempt, age=age, policy=policy), TryAgain):
        delays.append(verdict.delay.total_seconds())
        age += verdict.delay
        attempt += 1
    assert delays == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert isinstance(verdict, Failed)
    assert verdict.reason is Reason.EXHAUSTED
    assert timedelta(hours=75) < age < timedelta(hours=76)


def test_private_endpoints_are_refused(configure: Callable[..., None], context: Context, httpserver: HTTPServer) -> None:
    configure(allow_private_targets=0)
    with pytest.raises(Rejected) as caught:
        run(context, url=httpserver.url_for("/"))
    assert caught.value.code == "private_target"


@pytest.mark.parametrize(
    "change",
    [
        {"type": "a b"},
        {"type": "a\n"},
        {"type": ""},
        {"id": "a.b"},
        {"id": "a\r\nX: 1"},
        {"id": ""},
        {"timestamp": "2020-02-02T02:02:02"},
    ],
)
def test_payloads_that_cannot_be(change: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        catalogue.find("webhook.deliver").read({"url": "https://example.com/", "type": "a", "data": None} | change)
