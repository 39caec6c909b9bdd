"""Vonage, as the conformance suite needs it."""

from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from jobs.errors import Ambiguous, RateLimited, Rejected, Unauthorized
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer

SMS, CALL = "vonage.sms.send", "vonage.call.create"
MADE = {"uuid": "63f61863-4a51-4f6b-86e1-46edebcf9356", "status": "started", "direction": "outbound"}


@cache
def key() -> str:
    """A private key of an application."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _sms(*statuses: str) -> Answer:
    """What Vonage says of a message in so many parts, always with a 200."""
    sent = {"to": "15005550010", "message-id": "0A0000000123ABCD1", "remaining-balance": "3.14", "network": "12345"}
    parts = [{**sent, "status": "0"} if each == "0" else {"status": each, "error-text": "No."} for each in statuses]
    return Answer(json={"message-count": str(len(parts)), "messages": parts})


def _calls(*calls: Any, count: int | None = None) -> Answer:
    return Answer(json={"count": len(calls) if count is None else count, "_embedded": {"calls": list(calls)}})


def _problem(status: int, words: str) -> Any:
    return {"type": "https://developer.vonage.com/api-errors", "title": "No.", "detail": words, "status": status}


ENDS = {"to": {"type": "phone", "number": "15005550010"}, "from": {"type": "phone", "number": "15005550006"}}

ENTRY = Entry(
    account={
        "api_key": "abcd1234",
        "api_secret": "conformanceSecret",
        "application_id": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
        "private_key": key(),
    },
    success={SMS: _sms("0"), CALL: Answer(201, MADE)},
    address=lambda url: {"base_url": url, "voice_url": url},
    found={CALL: _calls({**MADE, **ENDS})},
    absent={CALL: _calls({**MADE, "to": {"type": "phone", "number": "15005550011"}, "from": ENDS["from"]})},
    error=_problem,
    specification={SMS: "vonage/sms", CALL: "vonage/voice"},
    special=[
        Special("throttled", _sms("1"), RateLimited, SMS),
        Special("too many binds", _sms("10"), RateLimited, SMS),
        Special("a parameter is missing", _sms("2"), Rejected, SMS),
        Special("a wrong secret", _sms("4"), Unauthorized, SMS),
        Special("an internal error", _sms("5"), Ambiguous, SMS),
        Special("a barred number", _sms("7"), Rejected, SMS),
        Special("a barred account", _sms("8"), Unauthorized, SMS),
        Special("no credit", _sms("9"), Unauthorized, SMS),
        Special("a sender that is not allowed", _sms("15"), Rejected, SMS),
        Special("a number that is not on the list", _sms("29"), Rejected, SMS),
        Special("a status that nobody knows", _sms("99"), Ambiguous, SMS),
        Special("two parts", _sms("0", "0"), None, SMS),
        Special("two parts, both refused", _sms("1", "1"), RateLimited, SMS),
        Special("one of two parts", _sms("0", "1"), Ambiguous, SMS),
        Special("no credit for calls", Answer(402, _problem(402, "low balance")), Unauthorized, CALL),
    ],
)
