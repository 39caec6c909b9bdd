"""Twilio, as the conformance suite needs it."""

from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from jobs.errors import RateLimited, Rejected, Unauthorized
from runtime import clock
from tasks.telephony import SMS
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer

SID = "AC" + "0" * 32
MESSAGE = {"sid": "SM" + "1" * 32, "status": "queued", "body": SMS["text"]}
CALL = {"sid": "CA" + "1" * 32, "status": "queued"}


def _error(status: int, words: str, code: int = 20500) -> Any:
    return {"code": code, "message": words, "more_info": "https://www.twilio.com/docs/errors", "status": status}


def _found(made: dict[str, Any]) -> dict[str, Any]:
    """Made later than any call of this run."""
    return {**made, "from": SMS["from"], "date_created": format_datetime(clock.now() + timedelta(days=1))}


ENTRY = Entry(
    account={"account_sid": SID, "auth_token": "conformance0token"},
    success={"twilio.sms.send": Answer(201, MESSAGE), "twilio.call.create": Answer(201, CALL)},
    found={
        "twilio.sms.send": Answer(json={"messages": [_found(MESSAGE)]}),
        "twilio.call.create": Answer(json={"calls": [_found(CALL)]}),
    },
    absent={"twilio.sms.send": Answer(json={"messages": []}), "twilio.call.create": Answer(json={"calls": []})},
    error=_error,
    specification="twilio/twilio_api_v2010",
    special=[
        Special("no such number", Answer(400, _error(400, "The 'To' number is not valid", 21211)), Rejected),
        Special("opted out", Answer(400, _error(400, "unsubscribed recipient", 21610)), Rejected),
        Special("a wrong token", Answer(401, _error(401, "Authenticate", 20003)), Unauthorized),
        Special("not active", Answer(400, _error(400, "Account not active", 20005)), Unauthorized),
        Special("a full queue", Answer(400, _error(400, "queue overflow", 21611)), RateLimited),
    ],
)
