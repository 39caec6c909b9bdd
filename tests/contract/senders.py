"""Providers as they post, each by its documentation; the test beside it has their official verifiers agree."""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from math import inf
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.x509.oid import NameOID
from twilio.request_validator import RequestValidator

from api.hooks import keys, pubsub

SECRET, OTHER = "whsec_" + b64encode(b"s" * 32).decode(), "whsec_" + b64encode(b"o" * 32).decode()
URL = "https://jobs.example.com/v1/hooks"
TOPIC = "arn:aws:sns:eu-west-1:1:ours"
JOB = UUID("01980000-0000-7000-8000-000000000042")
_RSA = rsa.generate_private_key(65537, 2048)
_EC, _OTHER_EC = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Sent:
    """One request to a hook."""

    headers: dict[str, str]
    body: bytes
    query: str = ""
    token: str = ""

    def with_header(self, name: str, value: str) -> "Sent":
        """The same, with another value of a header."""
        return replace(self, headers=self.headers | {name: value})


@dataclass(frozen=True)
class Sender:
    """A provider.

    Args:
        make: a request, of a body, an id, an instant and a secret.
        secrets, options: how its source is set up.
        type, id: of the event that it becomes.
        proof: headers that prove; each, if changed, must break it.
        covers: whether the proof covers the body. dated: whether it covers a time.
        other: another secret, which must not be accepted; None: it has none.
    """

    make: Callable[[bytes, str, datetime, str], Sent]
    type: str
    proof: tuple[str, ...]
    body: Callable[[str], Any]
    secrets: list[str] = field(default_factory=lambda: [SECRET])
    options: dict[str, str] = field(default_factory=dict)
    id: str = "{}"
    covers: bool = True
    dated: bool = False
    other: str | None = OTHER

    def send(self, number: str = "1", at: datetime | None = None, secret: str = "", body: bytes | None = None) -> Sent:
        """A request, right in all that is not said otherwise."""
        content = body if body is not None else json.dumps(self.body(number), separators=(",", ":")).encode()
        return self.make(content, number, at or datetime.now(UTC), secret or (self.secrets or [""])[0])


def mac(secret: str, message: bytes, digest: hashes.HashAlgorithm | None = None) -> bytes:
    made = HMAC(secret.encode(), digest or hashes.SHA256())
    made.update(message)
    return made.finalize()


def _stripe(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    time = int(at.timestamp())
    signature = mac(secret, f"{time}.".encode() + body).hex()
    return Sent({"stripe-signature": f"t={time},v0=x,v1={signature}"}, body)


def _square(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    return Sent({"x-square-hmacsha256-signature": b64encode(mac(secret, f"{URL}/square".encode() + body)).decode()}, body)


def _sendgrid(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    time = str(int(at.timestamp()))
    key = _EC if secret == _public(_EC) else _OTHER_EC
    signature = key.sign(time.encode() + body, ec.ECDSA(hashes.SHA256()))
    prefix = "x-twilio-email-event-webhook"
    return Sent({f"{prefix}-signature": b64encode(signature).decode(), f"{prefix}-timestamp": time}, body)


def _mailgun(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    time, token = str(int(at.timestamp())), f"token-{number}"
    proof = {"timestamp": time, "token": token, "signature": mac(secret, f"{time}{token}".encode()).hex()}
    return Sent({}, b'{"signature":' + json.dumps(proof).encode() + b"," + body[1:])


def _github(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    signature = "sha256=" + mac(secret, body).hex()
    return Sent({"x-hub-signature-256": signature, "x-github-event": "issues", "x-github-delivery": number}, body)


def _meta(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    return Sent({"x-hub-signature-256": "sha256=" + mac(secret, body).hex()}, body)


def _x(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    return Sent({"x-twitter-webhooks-signature": "sha256=" + b64encode(mac(secret, body)).decode()}, body)


def _linkedin(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    return Sent({"x-li-signature": "hmacsha256=" + mac(secret, body).hex()}, body)


def _segment(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    return Sent({"x-signature": mac(secret, body, hashes.SHA1()).hex()}, body)


def _standard(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    time = str(int(at.timestamp()))
    signed = HMAC(b64decode(secret.removeprefix("whsec_")), hashes.SHA256())
    signed.update(f"{number}.{time}.".encode() + body)
    signature = "v1," + b64encode(signed.finalize()).decode()
    return Sent({"webhook-id": number, "webhook-timestamp": time, "webhook-signature": f"v1a,x {signature}"}, body)


def _secret(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    return Sent({"authorization": "Basic " + b64encode(f"mixpanel:{secret}".encode()).decode()}, body)


def _twilio(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    form = json.loads(body) if body.startswith(b'{"MessageSid"') else {}
    query = f"job_id={JOB}"
    signature = RequestValidator(secret).compute_signature(f"{URL}/twilio?{query}", form)
    content = urlencode(form).encode() if form else body
    return Sent({"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded"}, content, query)


def twilio_json(body: bytes, secret: str = SECRET) -> Sent:
    """Twilio's other form: the digest of a JSON body in the address."""
    query = f"bodySHA256={sha256(body).hexdigest()}"
    signature = RequestValidator(secret).compute_signature(f"{URL}/twilio?{query}", {})
    return Sent({"x-twilio-signature": signature, "content-type": "application/json"}, body, query)


def _vonage(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    claims = {"iat": int(at.timestamp()), "jti": number, "payload_hash": sha256(body).hexdigest()}
    return Sent({"authorization": "Bearer " + jwt.encode(claims, secret, "HS256")}, body)


def _sns(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    message = {
        "Type": "Notification", "MessageId": number, "TopicArn": TOPIC, "Subject": "s", "Message": body.decode("utf-8",
        "replace"),
        "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }  # fmt: skip
    return sns(message)


def sns(message: dict[str, str]) -> Sent:
    """A message of SNS, signed."""
    signed = "".join(f"{name}\n{message[name]}\n" for name in sorted(message))
    signature = b64encode(_RSA.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    proof = {"SignatureVersion": "2", "SigningCertURL": _AT_AWS, "Signature": signature}
    return Sent({"content-type": "text/plain; charset=UTF-8"}, json.dumps(message | proof).encode())


def _paypal(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    time, transmission = at.strftime("%Y-%m-%dT%H:%M:%SZ"), f"t-{number}"
    signed = f"{transmission}|{time}|WH-1|{zlib.crc32(body)}"
    signature = b64encode(_RSA.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    prefix = "paypal-transmission"
    headers = {f"{prefix}-id": transmission, f"{prefix}-time": time, f"{prefix}-sig": signature}
    return Sent(headers | {"paypal-cert-url": _AT_PAYPAL, "paypal-auth-algo": "SHA256withRSA"}, body)


def _pubsub(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    claims = {"iss": "https://accounts.google.com", "aud": "treadle", "email": "push@example.iam", "email_verified": True}
    times = {"iat": int(at.timestamp()), "exp": int((at + timedelta(hours=1)).timestamp())}
    return Sent({"authorization": "Bearer " + jwt.encode(claims | times, _RSA, "RS256", headers={"kid": "k1"})}, body)


def _eventgrid(body: bytes, number: str, at: datetime, secret: str) -> Sent:
    return Sent({"aeg-event-type": "Notification"}, body, token=secret.replace("/", "_"))


def _public(key: ec.EllipticCurvePrivateKey) -> str:
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b64encode(public).decode()


def _certificate() -> bytes:
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provider")]), datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(_RSA.public_key()).serial_number(1)
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    return made.sign(_RSA, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


_AT_AWS = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
_AT_PAYPAL = "https://api.paypal.com/v1/notifications/certs/CERT-1"


def publish_keys() -> None:
    """Have the door know the keys that providers publish, as if it had fetched them."""
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_RSA.public_key())) | {"kid": "k1", "use": "sig", "alg": "RS256"}
    for url, content in (
        (_AT_AWS, _certificate()), (_AT_PAYPAL, _certificate()), (pubsub.KEYS, json.dumps({"keys": [jwk]}).encode()),
    ):  # fmt: skip
        keys._fetched[url] = (inf, content)


SENDERS = {
    "stripe": Sender(
        _stripe, "stripe.payment_intent.succeeded", ("stripe-signature",), dated=True, id="evt_{}",
        body=lambda number: {
            "id": f"evt_{number}", "object": "event", "type": "payment_intent.succeeded", "created": 1767225600,
            "data": {"object": {"id": "pi_1"}}, "request": {"id": "req_1", "idempotency_key": f"{JOB}:charge"},
        },
    ),
    "square": Sender(
        _square, "square.payment.updated", ("x-square-hmacsha256-signature",), options={"url": f"{URL}/square"},
        body=lambda number: {"event_id": number, "type": "payment.updated", "data": {"id": "p1", "object": {}}},
    ),
    "sendgrid": Sender(
        _sendgrid, "sendgrid.delivered", ("x-twilio-email-event-webhook-signature",
        "x-twilio-email-event-webhook-timestamp"),
        secrets=[_public(_EC)], other=_public(_OTHER_EC), dated=True,
        body=lambda number: [{"event": "delivered", "sg_event_id": number, "email": "a@example.com", "job_id": str(JOB)}],
    ),
    "mailgun": Sender(
        _mailgun, "mailgun.delivered", (), covers=False, dated=True,
        body=lambda number: {"event-data": {"event": "delivered", "id": number, "user-variables": {"job_id": str(JOB)}}},
    ),
    "github": Sender(
        _github, "github.issues.opened", ("x-hub-signature-256",),
        body=lambda number: {"action": "opened", "issue": {"number": number}, "repository": {"full_name": "a/b"}},
    ),
    "meta": Sender(
        _meta, "meta.page", ("x-hub-signature-256",), options={"verify_token": "tell-me"}, id="",
        body=lambda number: {"object": "page", "entry": [{"id": number, "time": 1767225600, "changes": []}]},
    ),
    "x": Sender(
        _x, "x.tweet_create", ("x-twitter-webhooks-signature",), id="",
        body=lambda number: {"for_user_id": "7", "tweet_create_events": [{"id_str": number}]},
    ),
    "linkedin": Sender(
        _linkedin, "linkedin.ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS", ("x-li-signature",),
        body=lambda number: {"type": "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS",
        "notifications": [{"notificationId": number}]},
    ),
    "segment": Sender(
        _segment, "segment.track", ("x-signature",),
        body=lambda number: {"type": "track", "messageId": number, "userId": "u1", "event": "Paid"},
    ),
    "standard": Sender(
        _standard, "resend.email.sent", ("webhook-id", "webhook-timestamp", "webhook-signature"), dated=True,
        body=lambda number: {"type": "email.sent", "data": {"to": "a@example.com"}, "n": number},
    ),
    "secret": Sender(
        _secret, "mixpanel.cohort", ("authorization",), covers=False, options={"type": "action", "id": "parameters.id"},
        body=lambda number: {"action": "cohort", "parameters": {"id": number}},
    ),
    "twilio": Sender(
        _twilio, "twilio.message.delivered", ("x-twilio-signature",), options={"url": f"{URL}/twilio"}, id="{}:delivered",
        body=lambda number: {"MessageSid": number, "MessageStatus": "delivered", "To": "+15550001"},
    ),
    "vonage": Sender(
        _vonage, "vonage.delivered", ("authorization",), dated=True, id="{}:delivered",
        body=lambda number: {"message_uuid": number, "status": "delivered", "client_ref": str(JOB)},
    ),
    "sns": Sender(
        _sns, "sns.notification", (), secrets=[], options={"topics": f"arn:other,{TOPIC}"}, dated=True, other=None,
        body=lambda number: {"eventType": "Bounce", "n": number},
    ),
    "paypal": Sender(
        _paypal, "paypal.payment.capture.completed", ("paypal-transmission-id", "paypal-transmission-time",
        "paypal-transmission-sig"),
        secrets=[], options={"webhook_id": "WH-1"}, dated=True, other=None,
        body=lambda number: {"id": number, "event_type": "PAYMENT.CAPTURE.COMPLETED", "resource": {"id": "c1"}},
    ),
    "pubsub": Sender(
        _pubsub, "pubsub.object_finalize", ("authorization",), secrets=[], covers=False, dated=True, other=None,
        options={"audience": "treadle", "email": "push@example.iam"},
        body=lambda number: {"message": {
            "messageId": number, "data": b64encode(b'{"a":1}').decode(), "attributes": {"eventType": "OBJECT_FINALIZE"},
        }, "subscription": "s"},
    ),
    "eventgrid": Sender(
        _eventgrid, "eventgrid.Microsoft.Storage.BlobCreated", (), covers=False, secrets=["s" * 20],
        body=lambda number: [{"id": number, "eventType": "Microsoft.Storage.BlobCreated", "subject": "/b", "data": {}}],
    ),
}  # fmt: skip
"""Every kind of source that there is, as it posts."""
