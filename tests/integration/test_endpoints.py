"""Endpoints: told of each event by a signed webhook, over days; disabled when they only fail; brought up to date after."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError
from uuid_utils.compat import uuid7
from werkzeug import Request, Response

from jobs import attempts, endpoints, events, flow, inbox, publication, webhooks
from jobs.arrival import Arrival
from jobs.errors import JobError
from jobs.inbox import Wanted
from jobs.model import Attempt, Endpoint, Event, Job
from jobs.outcome import Failed, Snoozed, Succeeded, TryAgain, Verdict, judge
from jobs.policy import RetryPolicy
from jobs.states import Reason, State
from runtime import clock as any_clock
from runtime.database import snapshot, transaction
from tasks import Context, catalogue, http, load
from tasks.context import enter, leave
from tests import make
from tests.clock import Clock
from tests.contract.door import Door

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SECRET = "whsec_" + "b3RoZXItc2VjcmV0LW9mLTI0LWJ5dGVzISEhISEhISE="

pytestmark = pytest.mark.usefixtures("ledger", "clock")


class Receiver:
    """Whoever is at the other end: it answers with `status`, and keeps what it accepted."""

    def __init__(self, server: HTTPServer) -> None:
        self.status = 204
        self.accepted: list[Request] = []
        self.calls = 0
        self.url, self.notices = server.url_for("/hook"), server.url_for("/notices")
        server.expect_request("/notices").respond_with_data()
        server.expect_request("/hook").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        request.get_data()  # kept with the request
        self.calls += 1
        if self.status < 300:
            self.accepted.append(request)
        return Response(status=self.status)


@pytest.fixture
def receiver(httpserver: HTTPServer, configure: Callable[..., None]) -> Iterator[Receiver]:
    configure(allow_private_targets=1)
    load()
    yield Receiver(httpserver)
    http.close()


def add(receiver: Receiver, **changes: Any) -> UUID:
    values: dict[str, Any] = {
        "id": uuid7(), "tenant": "default", "url": receiver.url, "description": "", "types": ["order.*"], "where": {},
        "headers": {}, "secrets": [{"secret": SECRET, "until": None}], "created_at": any_clock.now(), "revision": 1,
    }  # fmt: skip
    made = Endpoint(**values | changes)
    with transaction() as session:
        endpoints.add(session, made)
    return made.id


def stored(endpoint_id: UUID) -> Endpoint:
    with snapshot() as session:
        return session.get_one(Endpoint, endpoint_id)


def happen(number: int = 1) -> None:
    with transaction() as session:
        events.record(session, [Arrival("order.paid", "/shop", f"{number}-{any_clock.now()}", {"order": number})])


def work() -> None:
    """Be the scheduler and a worker, until nothing is due."""
    while True:
        with transaction() as session:
            publication.publish(session, 100)
            flow.feed(session, "default", any_clock.now())
            waiting = list(session.scalars(select(Job.id).where(Job.state == State.QUEUED)))
        if not waiting:
            return
        for job_id in waiting:
            _attempt(job_id)


def _attempt(job_id: UUID) -> None:
    with transaction() as session:
        job = make.claim(session, job_id, make.worker(session), any_clock.now())
        assert job is not None
    verdict = _run(job)
    with transaction() as session:
        assert attempts.settle(session, make.claim_of(job), verdict, any_clock.now())


def _run(job: Job) -> Verdict:
    task, context = catalogue.find(job.task), Context(job.id, job.task, job.attempt)
    token = enter(context)
    try:
        return Succeeded(task.call(task.read(job.payload), context))
    except Exception as error:  # noqa: BLE001 - as a worker does
        age, policy = any_clock.now() - job.budget_at, RetryPolicy.model_validate(job.retry)
        return judge(error, attempt=job.attempt - job.budget_from, age=age, policy=policy)
    finally:
        leave(token)


def live(clock: Clock, span: timedelta, step: timedelta = timedelta(minutes=1)) -> None:
    """Let time pass, in steps, and work after each."""
    until = clock.now() + span
    while clock.now() < until:
        work()
        with snapshot() as session:
            due = session.scalars(select(Job.run_at).where(Job.state == State.SCHEDULED).order_by(Job.run_at)).first()
        clock.advance(max(timedelta(0), min(due or until, until) - clock.now()) or step)
    work()


def deliveries(endpoint_id: UUID) -> list[Job]:
    with snapshot() as session:
        return list(endpoints.deliveries(session, endpoint_id, 100))[::-1]


def tries(job: Job) -> list[Attempt]:
    with snapshot() as session:
        return list(session.scalars(select(Attempt).where(Attempt.job_id == job.id).order_by(Attempt.epoch)))


def published() -> list[Event]:
    with snapshot() as session:
        return list(inbox.page(session, "default", Wanted(), 100))[::-1]


def verify(request: Request, secret: str = SECRET) -> Any:
    """What the official library makes of it, at the time that it was sent (which is not the library's own present)."""
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    signature = Webhook(secret).sign(request.headers["webhook-id"], at, request.get_data().decode())
    if signature not in request.headers["webhook-signature"].split():
        raise WebhookVerificationError
    return request.get_json()


def test_an_event_is_delivered_signed_with_the_endpoint_s_own_secret_and_headers(receiver: Receiver, clock: Clock) -> None:
    endpoint = add(receiver, headers={"X-Team": "billing"})
    happen(7)
    work()
    (request,) = receiver.accepted
    assert verify(request) == {"type": "order.paid", "timestamp": clock.now().isoformat(), "data": {"order": 7}}
    assert request.headers["X-Team"] == "billing"
    (event,) = published()
    assert request.headers["webhook-id"] == str(event.id)
    (delivery,) = deliveries(endpoint)
    assert (delivery.state, delivery.event_id, delivery.result["status"]) == (State.SUCCEEDED, event.id, 204)


def test_the_official_library_accepts_what_is_sent_now(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(any_clock, "now", lambda: datetime.now(UTC))
    add(receiver)
    happen()
    work()
    (request,) = receiver.accepted
    assert Webhook(SECRET).verify(request.get_data(), dict(request.headers))["type"] == "order.paid"


def test_events_that_do_not_fit_are_not_told(receiver: Receiver) -> None:
    add(receiver, types=["order.refunded", "invoice.**"])
    add(receiver, where={"data": {"order": [{"numeric": [">", 5]}]}})
    happen(1)
    happen(6)
    work()
    assert [request.get_json()["data"]["order"] for request in receiver.accepted] == [6]


def test_after_a_rotation_two_secrets_sign_until_the_overlap_is_over(receiver: Receiver, clock: Clock) -> None:
    endpoint, newer = add(receiver), endpoints.new_secret()
    with transaction() as session:
        endpoints.rotate(session, session.get_one(Endpoint, endpoint), newer, HOUR)
    happen(1)
    work()
    clock.advance(2 * HOUR)
    happen(2)
    work()
    during, after = receiver.accepted
    assert verify(during, SECRET) == verify(during, newer)
    assert verify(after, newer)["data"] == {"order": 2}
    with pytest.raises(WebhookVerificationError):
        verify(after, SECRET)


def test_retries_follow_the_published_schedule_and_end_in_the_dead_letter(receiver: Receiver, clock: Clock) -> None:
    endpoint, receiver.status = add(receiver), 500
    happen()
    live(clock, 4 * DAY)
    (delivery,) = deliveries(endpoint)
    assert (delivery.state, delivery.reason) == (State.FAILED, Reason.EXHAUSTED)
    started = [attempt.started_at for attempt in tries(delivery)]
    assert [later - earlier for earlier, later in pairwise(started)] == list(webhooks.DELAYS)
    assert receiver.calls == len(webhooks.DELAYS) + 1
    assert stored(endpoint).disabled_at == tries(delivery)[-1].finished_at
    receiver.status = 200
    with transaction() as session:
        assert endpoints.enable(session, session.get_one(Endpoint, endpoint)) == 1
    work()
    assert [request.get_json()["data"]["order"] for request in receiver.accepted] == [1]


def test_an_endpoint_that_is_down_for_a_week_is_disabled_and_later_gets_everything(receiver: Receiver, clock: Clock) -> None:
    endpoint, receiver.status = add(receiver), 503
    listener = add(receiver, url=receiver.notices, types=["endpoint.*"])
    for number in range(7):
        happen(number)
        live(clock, DAY)
    down = stored(endpoint)
    assert down.disabled_at is not None and "503" in str(down.disabled_why)
    assert down.failing_since is not None and 3 * DAY <= down.disabled_at - down.failing_since < 4 * DAY
    assert [event.type for event in published() if event.type.startswith("endpoint.")] == ["endpoint.disabled"]
    assert len(deliveries(listener)) == 1
    calls, receiver.status = receiver.calls, 204
    live(clock, DAY)
    assert receiver.calls == calls, "a disabled endpoint was called"
    assert {job.waits_for for job in deliveries(endpoint) if job.state is State.SCHEDULED} == {
        f"the endpoint is disabled: {down.disabled_why}"[:200]
    }
    with transaction() as session:
        endpoints.enable(session, session.get_one(Endpoint, endpoint))
    work()
    assert sorted(request.get_json()["data"]["order"] for request in receiver.accepted) == list(range(7))
    assert {job.state for job in deliveries(endpoint)} == {State.SUCCEEDED}
    assert published()[-1].type == "endpoint.enabled"
    assert stored(endpoint).failing_since is None
    for job in deliveries(endpoint):
        tried = tries(job)
        assert [attempt.epoch for attempt in tried] == list(range(1, len(tried) + 1))


def test_an_endpoint_is_disabled_and_enabled_in_a_session_that_holds_it(receiver: Receiver) -> None:
    endpoint = add(receiver)
    with transaction() as session:
        found = session.get_one(Endpoint, endpoint)
        endpoints.disable(session, found, "by hand")  # reads all rules anew, this one among them
        session.refresh(found)
        endpoints.enable(session, found)
    assert stored(endpoint).disabled_at is None


def test_an_endpoint_that_fares_well_can_be_enabled_all_the_same(receiver: Receiver) -> None:
    endpoint = add(receiver)
    with transaction() as session:
        assert endpoints.enable(session, session.get_one(Endpoint, endpoint)) == 0


def test_one_success_forgives_the_failures_before(receiver: Receiver, clock: Clock) -> None:
    endpoint, receiver.status = add(receiver), 500
    happen()
    live(clock, 2 * DAY)
    assert stored(endpoint).failing_since is not None
    receiver.status = 200
    live(clock, 2 * DAY)
    assert (stored(endpoint).failing_since, stored(endpoint).disabled_at) == (None, None)


def test_410_disables_at_once(receiver: Receiver, clock: Clock) -> None:
    endpoint, receiver.status = add(receiver), 410
    happen()
    work()
    assert stored(endpoint).disabled_at == clock.now()
    assert [job.reason for job in deliveries(endpoint)] == [Reason.REJECTED]


def test_a_delivery_follows_its_endpoint_to_a_new_url_and_fails_with_it(receiver: Receiver, clock: Clock) -> None:
    endpoint, receiver.status = add(receiver, url=receiver.url + "/moved-away"), 200
    happen()
    work()
    with transaction() as session:
        endpoints.change(session, session.get_one(Endpoint, endpoint), url=receiver.url)
    live(clock, timedelta(minutes=6))
    assert len(receiver.accepted) == 1
    happen(2)
    with transaction() as session:
        endpoints.remove(session, "default", endpoint)
    work()
    assert [job.error["code"] for job in deliveries(endpoint) if job.error and job.state is State.FAILED] == ["no_endpoint"]


def test_a_private_address_is_refused_when_it_is_resolved(receiver: Receiver, configure: Callable[..., None]) -> None:
    configure(allow_private_targets=0)
    endpoint = add(receiver)
    happen()
    work()
    assert receiver.calls == 0
    assert {job.error["code"] for job in deliveries(endpoint) if job.error} == {"private_target"}


def test_verdicts_are_those_of_the_specification(receiver: Receiver) -> None:
    endpoint = add(receiver)
    for status, kind in ((200, Succeeded), (404, TryAgain), (301, TryAgain), (429, TryAgain), (410, Failed), (200, Snoozed)):
        receiver.status = status
        payload = webhooks.payload("t", uuid7(), any_clock.now(), {}, endpoint=endpoint)
        with transaction() as session:
            job = make.job(session, State.RUNNING, task=webhooks.TASK, payload=payload)
        assert isinstance(_run(job), kind), status


# Through the door


def test_an_endpoint_through_the_door(receiver: Receiver, door: Door) -> None:
    made = door.ask(
        "POST", "/v1/endpoints", json={"url": receiver.url, "types": ["order.*"], "headers": {"X-Key": "s3cret"}}
    )
    assert made.status_code == 201 and made.json()["headers"] == ["X-Key"]
    path = made.headers["location"]
    assert door.ask("GET", path).json() == made.json()
    (secret,) = door.ask("GET", f"{path}/secret").json()["secrets"]
    rotated = door.ask("POST", f"{path}/rotate", json={}).json()["secrets"]
    assert rotated[1] == secret != rotated[0]
    door.ask("POST", "/v1/events", json={"type": "order.paid", "data": {"order": 1}})
    ping = door.ask("POST", f"{path}/ping")
    assert ping.status_code == 202
    door.jobs_made += 1
    work()
    assert {request.get_json()["type"] for request in receiver.accepted} == {"order.paid", "endpoint.ping"}
    first = door.ask("GET", f"{path}/deliveries", params={"limit": 1}).json()
    assert [each["attempts"][0]["outcome"] for each in first["deliveries"]] == ["succeeded"]
    rest = door.ask("GET", f"{path}/deliveries", params={"cursor": first["next_cursor"]}).json()
    assert [each["type"] for each in first["deliveries"] + rest["deliveries"]] == ["endpoint.ping", "order.paid"]
    assert door.ask("POST", f"{path}/disable").json()["disabled_why"] == "by hand"
    assert door.ask("POST", f"{path}/enable").json()["endpoint"]["disabled_at"] is None
    assert door.ask("PATCH", path, json={"description": "x", "types": ["a.b"]}).json()["types"] == ["a.b"]
    assert door.ask("DELETE", path).status_code == 204 and door.ask("GET", path).status_code == 404
    noted = [each["what"] for each in door.ask("GET", "/v1/audit").json()["deeds"] if each["what"].startswith("endpoint.")]
    assert noted[::-1] == [f"endpoint.{what}" for what in ("create", "rotate", "disable", "enable", "change", "delete")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://x"}, {"url": "https://u:p@x"}, {"types": []}, {"types": ["a.**.b"]}, {"secret": "whsec_short"},
        {"headers": {"Webhook-Id": "x"}}, {"headers": {"Host": "x"}}, {"headers": {"a": "b\r\nc"}}, {"filter": {"a": 1}},
    ],
)  # fmt: skip
def test_an_endpoint_that_cannot_be_is_refused(receiver: Receiver, door: Door, wrong: Any) -> None:
    answer = door.ask("POST", "/v1/endpoints", json={"url": receiver.url, "types": ["order.*"]} | wrong)
    assert answer.status_code == 422
    assert door.ask("GET", "/v1/endpoints").json()["endpoints"] == []


def test_another_tenant_s_endpoint_is_not_there(receiver: Receiver) -> None:
    endpoint = add(receiver, tenant="other")
    with snapshot() as session, pytest.raises(JobError):
        endpoints.get(session, "default", endpoint)


def test_a_job_s_callback_is_told_of_its_end(receiver: Receiver, door: Door, configure: Callable[..., None]) -> None:
    configure(allow_private_targets=1, webhook_secret=SECRET)
    made = door.post_job(payload={"url": receiver.url}, callback=receiver.url).json()
    work()
    told = [request for request in receiver.accepted if "webhook-id" in request.headers]
    assert [verify(request)["data"]["job_id"] for request in told] == [made["id"]]
    assert verify(told[0])["type"] == "job.succeeded" and verify(told[0])["data"]["result"]["status"] == 204
    door.jobs_made += 1
