"""Square, as the conformance suite needs it."""

from typing import Any

from jobs.errors import Ambiguous, RateLimited, Rejected, Transient, Unauthorized
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer

PAYMENT, REFUND, CANCEL = "square.payment.create", "square.refund.create", "square.payment.cancel"


def _error(status: int, words: str, code: str = "BAD_REQUEST", category: str = "INVALID_REQUEST_ERROR") -> Any:
    return {"errors": [{"category": category, "code": code, "detail": words}]}


def _payment(status: str) -> Answer:
    return Answer(
        json={"payment": {"id": "R2B3", "status": status, "order_id": "nUSN", "receipt_url": "https://squareup.com/r"}}
    )


def _refund(status: str) -> Answer:
    return Answer(
        json={"refund": {"id": "R2B3_9d", "status": status, "payment_id": "R2B3", "amount_money": {"amount": 500}}}
    )


def _declined(code: str) -> Answer:
    return Answer(402, _error(402, "Card declined.", code, "PAYMENT_METHOD_ERROR"))


ENTRY = Entry(
    account={"access_token": "EAAAconformancetoken"},
    success={PAYMENT: _payment("COMPLETED"), REFUND: _refund("PENDING"), CANCEL: _payment("CANCELED")},
    found={CANCEL: _payment("CANCELED")},
    absent={CANCEL: _payment("APPROVED")},
    key=lambda request: request.json()["idempotency_key"],
    error=_error,
    specification="square/square",
    special=[
        Special("a declined card", _declined("CARD_DECLINED"), Rejected),
        Special("no funds", _declined("INSUFFICIENT_FUNDS"), Rejected),
        Special(
            "an expired token", Answer(401, _error(401, "No.", "ACCESS_TOKEN_EXPIRED", "AUTHENTICATION_ERROR")), Unauthorized
        ),
        Special("no scope", Answer(403, _error(403, "No.", "INSUFFICIENT_SCOPES", "AUTHENTICATION_ERROR")), Unauthorized),
        Special("too many", Answer(429, _error(429, "Slow down.", "RATE_LIMITED", "RATE_LIMIT_ERROR")), RateLimited),
        Special("a passing error", Answer(400, _error(400, "Again.", "TEMPORARY_ERROR", "PAYMENT_METHOD_ERROR")), Transient),
        Special("a key used with another body", Answer(400, _error(400, "No.", "IDEMPOTENCY_KEY_REUSED")), Rejected),
        Special("errors in another form", Answer(400, {"errors": "no"}), Ambiguous),
        Special("failed with a 200", _payment("FAILED"), Rejected, PAYMENT),
        Special("refused with a 200", _refund("REJECTED"), Rejected, REFUND),
    ],
)
