"""Amazon SES, as the conformance suite needs it."""

from jobs.errors import RateLimited, Rejected, Unauthorized
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer


def _error(status: int, words: str, code: str = "SomeException") -> Answer:
    return Answer(status, {"message": words}, headers={"x-amzn-errortype": code})


ENTRY = Entry(
    account={
        "region": "eu-central-1",
        "access_key_id": "AKIACONFORMANCE",
        "secret_access_key": "conformance/secret+wJalrXUtnFEMI",
        "rate": "1000/s",
    },
    success={"ses.send": Answer(json={"MessageId": "0107-1"})},
    error=_error,
    special=[
        Special("too fast", _error(429, "Maximum sending rate exceeded.", "TooManyRequestsException"), RateLimited),
        Special("the day's quota is used up", _error(400, "Daily quota", "LimitExceededException"), RateLimited),
        Special("throttled", _error(400, "Rate exceeded", "ThrottlingException"), RateLimited),
        Special("an address that is not verified", _error(400, "not verified", "MessageRejected"), Rejected),
        Special("no domain", _error(400, "MX", "MailFromDomainNotVerifiedException"), Rejected),
        Special("sending is paused", _error(400, "paused", "SendingPausedException"), Unauthorized),
        Special("a suspended account", _error(400, "shut down", "AccountSuspendedException"), Unauthorized),
        Special("an unknown key", _error(403, "invalid token", "UnrecognizedClientException"), Unauthorized),
    ],
)
