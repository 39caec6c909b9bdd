"""Webhooks in, of every provider: what is proven is stored once; what is tampered with, old or forged is not,
and learns nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import sqlalchemy as sa
import stripe
from httpx2 import Response
from sendgrid.helpers.eventwebhook import EventWebhook
from square.utils.webhooks_helper import verify_signature
from standardwebhooks import Webhook

from api.hooks import KINDS
from jobs.errors import Transient
from jobs.model import Event, Job, LogLine
from jobs.submit import submit
from runtime import database
from runtime.settings import settings
from tests import make
from tests.contract import senders
from tests.contract.door import Door, on_sqlite
from tests.contract.senders import JOB, SECRET, SENDERS, TOPIC, Sent

HOUR = timedelta(hours=1)
NAMES = {"standard": "resend", "secret": "mixpanel"}  # of generic kinds the source's name is the first word of the type

every = pytest.mark.parametrize("kind", sorted(SENDERS))
dated = pytest.mark.parametrize("kind", sorted(kind for kind, sender in SENDERS.items() if sender.dated))


@pytest.fixture(scope="module")
def door(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One door for the module, at which every provider is a source."""
    senders.publish_keys()
    with on_sqlite(sqlite_template, tmp_path_factory.mktemp("hooks")) as opened:
        for kind, sender in SENDERS.items():
            given = {"name": name(kind), "kind": kind, "secrets": sender.secrets, "options": sender.options}
            assert opened.ask("POST", "/v1/sources", json=given).status_code == 201
        yield opened


@pytest.fixture(autouse=True)
def _empty(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """No event yet, and no way to a provider's keys but those that were fetched before."""

    def away(*_: object, **__: object) -> None:
        raise Transient("there is no network here")

    monkeypatch.setattr("tasks.http.send", away)
    with database.transaction() as session:
        session.execute(sa.delete(Event))


def name(kind: str) -> str:
    return NAMES.get(kind, kind)


def post(door: Door, kind: str, sent: Sent) -> Response:
    path = f"/v1/hooks/{name(kind)}" + (f"/{sent.token}" if sent.token else "") + (f"?{sent.query}" if sent.query else "")
    headers = {"authorization": ""} | sent.headers  # no key of ours
    return door.ask("POST", path, content=sent.body, headers=headers)


def stored() -> list[Event]:
    with database.snapshot() as session:
        return list(session.scalars(sa.select(Event).order_by(Event.id)))


def check_refused(answer: Response, status: int = 401) -> None:
    """It says no more than any other refusal."""
    assert answer.status_code == status
    if status == 401:
        assert answer.json()["detail"] == "The signature does not hold." and "errors" not in answer.json()
    assert stored() == []


def test_every_kind_of_source_has_a_sender_here() -> None:
    assert SENDERS.keys() == KINDS.keys()


@every
def test_what_is_proven_becomes_an_event_once(door: Door, kind: str) -> None:
    sender = SENDERS[kind]
    for _ in range(2):
        answer = post(door, kind, sender.send())
        assert (answer.status_code, answer.content) == (200, b""), answer.text
    (event,) = stored()
    assert (event.type, event.source) == (sender.type, f"/v1/hooks/{name(kind)}")
    assert not sender.id or event.source_id == sender.id.format("1")
    post(door, kind, sender.send("2"))
    assert len(stored()) == 2


@every
def test_a_tampered_body_is_refused(door: Door, kind: str) -> None:
    sender = SENDERS[kind]
    if not sender.covers:
        pytest.skip("its proof does not cover the body; other tests say what stands for that")
    sent = sender.send()
    for at in range(0, len(sent.body), 23):
        body = bytearray(sent.body)
        body[at] = body[at] ^ 1
        answer = post(door, kind, Sent(sent.headers, bytes(body), sent.query, sent.token))
        assert answer.status_code in {400, 401}, (at, bytes(body))
    another = sent.body.replace(b'"MessageId": "1"', b'"MessageId": "2"') if kind == "sns" else sent.body + b" "
    check_refused(post(door, kind, Sent(sent.headers, another, sent.query)))


@every
def test_a_changed_or_missing_header_of_the_proof_is_refused(door: Door, kind: str) -> None:
    for header in SENDERS[kind].proof:
        sent = SENDERS[kind].send()
        right = sent.headers[header]
        for wrong in (
            "",
            right[:-1],
            right[:-4] + ("AAA=" if right[-4:] != "AAA=" else "BBB="),
            "x",
            "v1,",
            right + "x",
        ):
            check_refused(post(door, kind, sent.with_header(header, wrong)))
        check_refused(post(door, kind, Sent({k: v for k, v in sent.headers.items() if k != header}, sent.body, sent.query)))


@dated
@pytest.mark.parametrize("off", [-2 * HOUR, 2 * HOUR])
def test_a_proof_of_another_time_is_refused(door: Door, kind: str, off: timedelta) -> None:
    check_refused(post(door, kind, SENDERS[kind].send(at=datetime.now(UTC) + off)))


@every
def test_another_secret_is_refused(door: Door, kind: str) -> None:
    other = SENDERS[kind].other
    if other is None:
        pytest.skip("it has no secret: its key is published")
    check_refused(post(door, kind, SENDERS[kind].send(secret=other)))


@every
def test_no_proof_at_all_is_refused(door: Door, kind: str) -> None:
    assert post(door, kind, Sent({}, b"{}")).status_code == 401
    assert post(door, kind, Sent({"authorization": "Bearer x"}, b"")).status_code in {400, 401}
    assert stored() == []


@every
@pytest.mark.parametrize("body", [b"{", b"[1", b"7", b'{"a":NaN}', b"\xff\xfe", b"[" * 100_000])
def test_a_malformed_body_is_refused_although_it_is_proven(door: Door, kind: str, body: bytes) -> None:
    if kind in {"sns", "twilio"} and body in {b"7", b"{", b"[1", b'{"a":NaN}', b"\xff\xfe", b"[" * 100_000}:
        pytest.skip("a text of any kind is a message there, and a form is made of anything")
    answer = post(door, kind, SENDERS[kind].send(body=body))
    if kind == "secret" and body == b"7":
        assert answer.status_code == 200
        return
    assert answer.status_code in {400, 401}
    assert stored() == []


@every
def test_a_giant_body_is_refused(door: Door, kind: str) -> None:
    check_refused(post(door, kind, SENDERS[kind].send(body=b"[" + b" " * settings().hook_limit + b"]")), 413)


def test_an_unknown_source_is_404(door: Door) -> None:
    assert post(door, "nobody", Sent({}, b"{}")).status_code == 404


# What single families are special in


def test_the_official_verifiers_take_what_is_sent_here() -> None:
    sent = SENDERS["stripe"].send()
    assert stripe.Webhook.construct_event(sent.body, sent.headers["stripe-signature"], SECRET).id == "evt_1"  # type: ignore[no-untyped-call]
    sent = SENDERS["square"].send()
    signature = sent.headers["x-square-hmacsha256-signature"]
    assert verify_signature(
        request_body=sent.body.decode(),
        signature_header=signature,
        signature_key=SECRET,
        notification_url=f"{senders.URL}/square",
    )
    sent, verifier = SENDERS["sendgrid"].send(), EventWebhook(SENDERS["sendgrid"].secrets[0])
    prefix = "x-twilio-email-event-webhook"
    assert verifier.verify_signature(
        sent.body.decode(), sent.headers[f"{prefix}-signature"], sent.headers[f"{prefix}-timestamp"]
    )


def test_the_reference_library_of_standard_webhooks_takes_what_is_sent_here() -> None:
    sent = SENDERS["standard"].send()
    assert Webhook(SECRET).verify(sent.body, sent.headers)["type"] == "email.sent"


@pytest.mark.parametrize("kind", ["mailgun", "github", "paypal"])
def test_what_was_proven_for_one_event_proves_no_other(door: Door, kind: str) -> None:
    sent = SENDERS[kind].send()
    assert post(door, kind, sent).status_code == 200
    match kind:
        case "mailgun":
            other = Sent(sent.headers, sent.body.replace(b'"id":"1"', b'"id":"2"'))
        case "github":
            other = sent.with_header("x-github-delivery", "2")
        case _:
            other = Sent(sent.headers, _same_crc32(sent.body))
    assert post(door, kind, other).status_code == 401
    assert len(stored()) == 1


def _same_crc32(body: bytes) -> bytes:
    """Another event with the same CRC32: a field that nobody reads makes up for the change."""
    start, wanted = body.replace(b'"id":"1"', b'"id":"2"')[:-1] + b',"x":"', crc32(body)

    def filled(bits: int) -> bytes:
        return start + format(bits, "040b").encode() + b'"}'

    base = crc32(filled(0))
    pivots: dict[int, tuple[int, int]] = {}
    for bit in range(40):  # CRC32 is linear: each digit that is turned changes it by a word of its own
        word, turned = crc32(filled(1 << bit)) ^ base, 1 << bit
        for top in sorted(pivots, reverse=True):
            if word >> top & 1:
                word, turned = word ^ pivots[top][0], turned ^ pivots[top][1]
        if word:
            pivots[word.bit_length() - 1] = (word, turned)
    missing, bits = base ^ wanted, 0
    for top in sorted(pivots, reverse=True):
        if missing >> top & 1:
            missing, bits = missing ^ pivots[top][0], bits ^ pivots[top][1]
    assert crc32(filled(bits)) == wanted
    return filled(bits)


@pytest.mark.parametrize(
    "kind", [kind for kind in sorted(SENDERS) if kind in {"stripe", "sendgrid", "mailgun", "twilio", "vonage"}]
)
def test_what_became_of_our_own_send_stands_in_the_job_s_log(door: Door, kind: str) -> None:
    with database.transaction() as session:
        job = submit(session, make.order()).job
        session.execute(sa.update(Job).where(Job.id == job.id).values(id=JOB))
    try:
        assert post(door, kind, SENDERS[kind].send()).status_code == 200
        with database.snapshot() as session:
            assert session.scalars(sa.select(LogLine.message).where(LogLine.job_id == JOB)).all() == [SENDERS[kind].type]
        assert [event.about for event in stored()] == [JOB]
    finally:
        with database.transaction() as session:
            session.execute(sa.delete(Job).where(Job.id == JOB))


def test_twilio_s_json_is_proven_by_the_digest_in_the_address(door: Door) -> None:
    sent = senders.twilio_json(b'{"id":"1","type":"a.b"}')
    assert post(door, "twilio", Sent(sent.headers, b'{"id":"2","type":"a.b"}', sent.query)).status_code == 401
    assert post(door, "twilio", sent).status_code == 200
    assert [event.type for event in stored()] == ["twilio.a.b"]


def test_both_secrets_of_a_rotation_hold(door: Door) -> None:
    both = {"secrets": [senders.OTHER, SECRET]}
    assert door.ask("PATCH", "/v1/sources/stripe", json=both).json()["secrets"] == 2
    for number, secret in enumerate(both["secrets"]):
        assert post(door, "stripe", SENDERS["stripe"].send(str(number), secret=secret)).status_code == 200
    door.ask("PATCH", "/v1/sources/stripe", json={"secrets": [SECRET]})


def test_a_batch_of_segment_is_refused_since_only_its_first_event_is_signed(door: Door) -> None:
    check_refused(post(door, "segment", SENDERS["segment"].send(body=b'{"batch":[{"type":"track"}]}')), 400)


def test_the_secret_may_stand_in_the_path_or_be_a_bearer_token(door: Door) -> None:
    body = json.dumps(SENDERS["secret"].body("1")).encode()
    secret = senders.b64encode(b"p" * 30).decode().replace("/", "_")
    door.ask("PATCH", "/v1/sources/mixpanel", json={"secrets": [secret, SECRET]})
    assert post(door, "secret", Sent({}, body, token=secret)).status_code == 200
    assert post(door, "secret", Sent({"authorization": f"Bearer {SECRET}"}, body)).status_code == 200
    assert post(door, "secret", Sent({}, body, token=secret[:-1])).status_code == 401
    door.ask("PATCH", "/v1/sources/mixpanel", json={"secrets": [SECRET]})


# Handshakes


def greet(door: Door, path: str, method: str = "GET", **headers: str) -> Response:
    return door.ask(method, f"/v1/hooks/{path}", headers={"authorization": ""} | headers)


def test_meta_s_challenge_comes_back_to_who_knows_the_token(door: Door) -> None:
    right = greet(door, "meta?hub.mode=subscribe&hub.verify_token=tell-me&hub.challenge=12345")
    assert (right.status_code, right.text) == (200, "12345")
    for query in ("hub.verify_token=wrong&hub.mode=subscribe", "hub.mode=subscribe", "hub.mode=x&hub.verify_token=tell-me"):
        check_refused(greet(door, f"meta?{query}&hub.challenge=1"))


def test_x_and_linkedin_get_their_challenge_signed(door: Door) -> None:
    expected = "sha256=" + senders.b64encode(senders.mac(SECRET, b"abc")).decode()
    assert greet(door, "x?crc_token=abc").json() == {"response_token": expected}
    answer = greet(door, "linkedin?challengeCode=890e4665-4dfe-4ab1-b689-ed553bceeed0").json()
    assert answer["challengeResponse"] == senders.mac(SECRET, answer["challengeCode"].encode()).hex()
    for path in ("x", "x?crc_token=", "linkedin", "linkedin?challengeCode=" + "x" * 101):
        check_refused(greet(door, path))


def test_event_grid_is_greeted_in_both_ways_by_who_knows_the_secret(door: Door) -> None:
    secret = SENDERS["eventgrid"].secrets[0]
    validation = [
        {"id": "1", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "c0de"}}
    ]
    sent = Sent({"aeg-event-type": "SubscriptionValidation"}, json.dumps(validation).encode(), f"code={secret}")
    assert post(door, "eventgrid", sent).json() == {"validationResponse": "c0de"}
    check_refused(post(door, "eventgrid", Sent(sent.headers, sent.body, "code=wrong")))
    answer = greet(door, f"eventgrid/{secret}", "OPTIONS", **{"webhook-request-origin": "eventgrid.azure.net"})
    assert (answer.status_code, answer.headers["webhook-allowed-origin"]) == (200, "eventgrid.azure.net")
    check_refused(greet(door, "eventgrid/wrong", "OPTIONS", **{"webhook-request-origin": "x"}))


def test_a_source_without_a_handshake_says_so(door: Door) -> None:
    assert greet(door, "stripe").status_code == 405


def test_a_topic_of_ours_is_confirmed_by_a_job_and_no_other(door: Door) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"
    wish = {
        "Type": "SubscriptionConfirmation",
        "MessageId": "m1",
        "Token": "t",
        "TopicArn": TOPIC,
        "Message": "x",
        "Timestamp": now,
    }
    check_refused(post(door, "sns", senders.sns(wish | {"SubscribeURL": "https://evil.example/x"})))
    check_refused(post(door, "sns", senders.sns(wish | {"SubscribeURL": url, "TopicArn": "arn:aws:sns:eu-west-1:2:theirs"})))
    for _ in range(2):
        assert post(door, "sns", senders.sns(wish | {"SubscribeURL": url})).status_code == 200
    with database.snapshot() as session:
        jobs = session.scalars(sa.select(Job).where(Job.task == "http.request")).all()
        assert [job.payload for job in jobs] == [{"method": "GET", "url": url}]
    with database.transaction() as session:
        session.execute(sa.delete(Job))


@pytest.mark.parametrize(
    "wrong",
    [
        "http://sns.eu-west-1.amazonaws.com/a.pem", "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem", "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
        "https://s3.amazonaws.com/a.pem", "", "https://sns.eu-west-1.amazonaws.com/../a.pem?x",
    ],
)  # fmt: skip
def test_a_certificate_of_another_host_is_not_fetched(door: Door, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("tasks.http.send", lambda *given, **_: asked.append(given))
    message = json.loads(SENDERS["sns"].send().body) | {"SigningCertURL": wrong}
    check_refused(post(door, "sns", Sent({}, json.dumps(message).encode())))
    check_refused(post(door, "paypal", SENDERS["paypal"].send().with_header("paypal-cert-url", wrong)))
    assert asked == []


# Setting sources up


def test_a_source_shows_no_secret(door: Door) -> None:
    text = door.ask("GET", "/v1/sources").text + door.ask("GET", "/v1/sources/stripe").text
    assert SECRET not in text and "/v1/hooks/stripe" in text
    kinds = {each["name"]: each for each in door.ask("GET", "/v1/sources/kinds").json()["kinds"]}
    assert kinds["square"]["needs"] == ["url"] and kinds["stripe"]["secret"]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"kind": "nope"}, "/kind"), ({"kind": "stripe"}, "/secrets"),
        ({"kind": "sendgrid", "secrets": ["not a key"]}, "/secrets"),
        ({"kind": "square", "secrets": [SECRET]}, "/options/url"), ({"kind": "eventgrid"}, "/secrets"),
        ({"kind": "standard", "secrets": ["whsec_!!!!"]}, "/secrets"), ({"kind": "sns"}, "/secrets"),
        ({"kind": "stripe", "secrets": [SECRET], "options": {"x": "y"}}, "/options/x"),
        ({"kind": "square", "secrets": [SECRET], "options": {"url": "nowhere"}}, "/options/url"),
    ],
)  # fmt: skip
def test_a_source_that_cannot_work_is_refused(door: Door, given: Any, pointer: str) -> None:
    answer = door.ask("POST", "/v1/sources", json={"name": "new"} | given)
    assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == pointer
    assert door.ask("GET", "/v1/sources/new").status_code == 404
