"""PayPal, as the conformance suite needs it."""

from typing import Any

from jobs.errors import Duplicate, RateLimited, Rejected, Transient
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer, Request

TOKEN = {"access_token": "A21AAFconformance", "token_type": "Bearer", "expires_in": 0}  # so that none outlives its test
APPROVE = {"rel": "approve", "href": "https://www.paypal.com/checkoutnow?token=5O190127TN364715T", "method": "GET"}


def _error(name: str, *issues: str) -> Any:
    return {"name": name, "message": "No.", "debug_id": "b1", "details": [{"issue": issue} for issue in issues]}


def _captured(status: str) -> Answer:
    capture = {"id": "2GG279541U471931P", "status": status, "amount": {"currency_code": "EUR", "value": "19.99"}}
    return Answer(
        201,
        {"id": "5O190127TN364715T", "status": "COMPLETED", "purchase_units": [{"payments": {"captures": [capture]}}]},
    )


def _token(request: Request) -> Answer | None:
    return Answer(json=TOKEN) if request.path == "/v1/oauth2/token" else None


ENTRY = Entry(
    account={"client_id": "AaConformanceId", "client_secret": "EeConformanceSecret"},
    success={
        "paypal.order.create": Answer(201, {"id": "5O190127TN364715T", "status": "CREATED", "links": [APPROVE]}),
        "paypal.order.capture": _captured("COMPLETED"),
        "paypal.order.charge": _captured("COMPLETED"),
        "paypal.capture.refund": Answer(201, {"id": "1JU08902781691411", "status": "COMPLETED"}),
    },
    payloads={"payment.refund": {"payment": "2GG279541U471931P", "amount": 500, "currency": "EUR"}},
    key=lambda request: request.headers["paypal-request-id"],
    aside=_token,
    error=lambda status, words: {"name": "ERROR", "message": words, "debug_id": "b1"},
    specification={
        "paypal.order.create": "paypal/checkout_orders_v2",
        "paypal.order.capture": "paypal/checkout_orders_v2",
        "paypal.order.charge": "paypal/checkout_orders_v2",
        "paypal.capture.refund": "paypal/payments_payment_v2",
    },
    special=[
        Special("captured before", Answer(422, _error("UNPROCESSABLE_ENTITY", "ORDER_ALREADY_CAPTURED")), Duplicate),
        Special("a declined card", Answer(422, _error("UNPROCESSABLE_ENTITY", "INSTRUMENT_DECLINED")), Rejected),
        Special("declined with a 201", _captured("DECLINED"), Rejected, "paypal.order.capture"),
        Special(
            "one to approve", Answer(200, {"id": "5O", "status": "PAYER_ACTION_REQUIRED"}), Rejected, "paypal.order.charge"
        ),
        Special("failed with a 201", Answer(201, {"id": "1J", "status": "FAILED"}), Rejected, "paypal.capture.refund"),
        Special("twice at once", Answer(409, _error("CONFLICT", "PREVIOUS_REQUEST_IN_PROGRESS")), Transient),
        Special("too many", Answer(429, _error("RATE_LIMIT_REACHED")), RateLimited),
    ],
)
