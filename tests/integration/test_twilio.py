"""What we ask of Twilio, held against what its own library asks for; and what an earlier call is known by."""

from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import pytest
from pytest_httpserver import HTTPServer
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from jobs.errors import Ambiguous
from runtime import clock
from tasks import Context, catalogue, load
from tasks.integrations.twilio import twilio
from tasks.provider import ProviderTask
from tasks.telephony import CALL, SMS

SID = "AC" + "a" * 32
HOOK = "https://jobs.example.com/v1/hooks/twilio"


class Redirected(TwilioHttpClient):
    """Twilio's client, turned to the recorder: it has no setting for that."""

    def __init__(self, url: str) -> None:
        super().__init__(timeout=5)
        self._url = url

    def request(self, method: str, url: str, *rest: Any, **more: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self._url), *rest, **more)


@pytest.fixture
def recorder(httpserver: HTTPServer, configure: Callable[..., None]) -> HTTPServer:
    load()
    configure(
        accounts__twilio__account_sid=SID,
        accounts__twilio__auth_token="token-of-test",
        accounts__twilio__status_callback=HOOK,
        accounts__twilio__base_url=httpserver.url_for(""),
    )
    for resource in ("Messages", "Calls"):
        made = {"sid": "SM1", "status": "queued"}
        httpserver.expect_request(f"/2010-04-01/Accounts/{SID}/{resource}.json", method="POST").respond_with_json(made, 201)
    return httpserver


def _context(task: str) -> Context:
    return Context(job_id=uuid4(), task=task)


def _run(task: str, payload: dict[str, Any], context: Context) -> Any:
    found = catalogue.find(task)
    return found.call(found.payload.model_validate(payload), context)


def _said(recorder: HTTPServer) -> list[tuple[Any, ...]]:
    return [
        (asked.method, asked.path, sorted(asked.form.items()), asked.headers["authorization"]) for asked, _ in recorder.log
    ]


def test_a_message_is_asked_for_as_twilios_own_library_does(recorder: HTTPServer) -> None:
    context = _context("twilio.sms.send")
    assert _run("twilio.sms.send", SMS, context) == {"sid": "SM1", "status": "queued"}
    client = Client(SID, "token-of-test", http_client=Redirected(recorder.url_for("").rstrip("/")))
    client.messages.create(
        to=SMS["to"], from_=SMS["from"], body=SMS["text"], status_callback=f"{HOOK}?job_id={context.job_id}"
    )
    ours, theirs = _said(recorder)
    assert ours == theirs


def test_a_call_is_asked_for_as_twilios_own_library_does(recorder: HTTPServer) -> None:
    context = _context("twilio.call.create")
    _run("twilio.call.create", {**CALL, "text": "R&D <is> down"}, context)
    client = Client(SID, "token-of-test", http_client=Redirected(recorder.url_for("").rstrip("/")))
    client.calls.create(
        to=CALL["to"],
        from_=CALL["from"],
        twiml='<Response><Say language="en-US">R&amp;D &lt;is&gt; down</Say></Response>',
        status_callback=f"{HOOK}?job_id={context.job_id}",
    )
    ours, theirs = _said(recorder)
    assert ours == theirs


def _ask(recorder: HTTPServer, *messages: dict[str, Any]) -> Any:
    listed = {"messages": [{"sid": "SM7", "status": "sent", **message} for message in messages]}
    path = f"/2010-04-01/Accounts/{SID}/Messages.json"
    recorder.expect_request(path, method="GET", query_string={"To": SMS["to"], "PageSize": "100"}).respond_with_json(listed)
    task = catalogue.find("twilio.sms.send")
    assert isinstance(task, ProviderTask)
    assert task.confirm is not None
    return task.confirm(task.payload.model_validate(SMS), twilio.find(), _context("twilio.sms.send"))


def test_a_message_from_before_the_call_is_not_the_jobs(recorder: HTTPServer) -> None:
    before = format_datetime(clock.now() - timedelta(minutes=1))
    assert _ask(recorder, {"body": SMS["text"], "date_created": before}) is None


def test_a_message_with_the_text_is_the_jobs_even_where_a_trial_puts_words_before_it(recorder: HTTPServer) -> None:
    now = format_datetime(clock.now())
    trial = {"body": f"Sent from your Twilio trial account - {SMS['text']}", "date_created": now}
    assert _ask(recorder, trial) == {"sid": "SM7", "status": "sent"}


def test_another_text_to_the_same_number_proves_nothing(recorder: HTTPServer) -> None:
    with pytest.raises(Ambiguous, match="A person must look"):
        _ask(recorder, {"body": "Your code is 1234", "date_created": format_datetime(clock.now())})
