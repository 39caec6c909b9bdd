"""Stripe, as the conformance suite needs it."""

from typing import Any

from jobs.errors import RateLimited, Rejected, Transient, Unauthorized
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer


def _error(status: int, words: str, **more: Any) -> Any:
    return {"error": {"type": "card_error" if status == 402 else "api_error", "message": words, **more}}


AGAIN = {"stripe-should-retry": "true"}

ENTRY = Entry(
    account={"api_key": "sk_test_conformance_51H"},
    success={
        "stripe.payment_intent.create": Answer(
            json={"id": "pi_1", "object": "payment_intent", "status": "succeeded", "client_secret": "pi_1_secret_x"}
        ),
        "stripe.refund.create": Answer(json={"id": "re_1", "object": "refund", "status": "succeeded", "amount": 500}),
        "stripe.customer.create": Answer(json={"id": "cus_1", "object": "customer", "email": "ada@example.com"}),
    },
    key=lambda request: request.headers["idempotency-key"],
    error=_error,
    expects={"409": Transient},
    special=[
        Special("a declined card", Answer(402, _error(402, "declined", code="card_declined")), Rejected),
        Special("a key in use", Answer(409, _error(409, "busy", code="idempotency_key_in_use")), Transient),
        Special("a locked object", Answer(429, _error(429, "locked", code="lock_timeout")), Transient),
        Special("a no that asks to be repeated", Answer(400, _error(400, "again"), headers=AGAIN), Transient),
        Special("haste, to be repeated", Answer(429, _error(429, "slowly"), headers=AGAIN), RateLimited),
        Special("an expired key", Answer(401, _error(401, "expired", code="api_key_expired")), Unauthorized),
        Special("a key used with another body", Answer(400, _error(400, "no", type="idempotency_error")), Rejected),
    ],
)
