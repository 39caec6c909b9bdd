"""PayPal: orders, captures and refunds."""

import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator

from jobs.errors import Duplicate, Rejected, Transient
from runtime import clock, redaction
from tasks.accounts import BaseUrl
from tasks.answers import Answered
from tasks.clients import Clients
from tasks.context import Context
from tasks.fields import TargetUrl
from tasks.payment import Charge as Taking
from tasks.payment import Refund as Return
from tasks.payment import in_units, payment_charge, payment_refund
from tasks.provider import Payload, Provider
from tasks.reply import Reply
from tasks.rest import RestAccount, basic

ORDERS_REMEMBERED = timedelta(hours=6)  # a PayPal-Request-Id
PAYMENTS_REMEMBERED = timedelta(days=45)
EARLY = 60.0  # seconds before its end that a token is renewed


class PayPal(RestAccount):
    """A REST app's client id and secret. The sandbox's base_url is https://api-m.sandbox.paypal.com."""

    client_id: SecretStr = Field(examples=["A…"])
    client_secret: SecretStr = Field(examples=["E…"])
    base_url: BaseUrl = "https://api-m.paypal.com"

    def headers(self) -> Mapping[str, str]:
        return {"prefer": "return=representation"}

    def post(self, path: str, body: Any, context: Context) -> Reply:
        """Make a call under our key. A token that is refused before its time is replaced, once: nothing was done with it."""
        token = tokens.get(self)
        words, is_new = token.get()
        headers = {"paypal-request-id": context.key()}
        try:
            return self.call("POST", path, json=body, headers={**headers, "authorization": f"Bearer {words}"})
        except Answered as answered:
            if answered.reply.status != 401 or is_new:
                raise
        words = token.renew(words)
        return self.call("POST", path, json=body, headers={**headers, "authorization": f"Bearer {words}"})


class _Token:
    """The access token of an account, for all threads of this process."""

    def __init__(self, account: PayPal) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._words, self._until = "", 0.0

    def get(self) -> tuple[str, bool]:
        """The token, and whether it was made just now."""
        with self._lock:
            if is_new := clock.monotonic() >= self._until:
                self._ask()
            return self._words, is_new

    def renew(self, refused: str) -> str:
        """Another token than the one that was refused; of several threads that were, one asks for it."""
        with self._lock:
            if self._words == refused:
                self._ask()
            return self._words

    def _ask(self) -> None:
        who = basic(self._account.client_id.get_secret_value(), self._account.client_secret)
        form = {"grant_type": "client_credentials"}
        given = self._account.call("POST", "/v1/oauth2/token", form=form, headers=who).json()
        redaction.hide([given["access_token"]])
        self._words, self._until = given["access_token"], clock.monotonic() + given["expires_in"] - EARLY


tokens = Clients(_Token)


def _look(account: PayPal) -> None:
    _Token(account).get()


def _code(body: Any) -> Any:
    """What is wrong, more exactly than the name of the error if it is told."""
    return (body.get("details") or [{}])[0].get("issue") or body.get("name") or body.get("error")


paypal = Provider(
    "paypal",
    account=PayPal,
    errors={
        "ORDER_ALREADY_CAPTURED": Duplicate,
        "PREVIOUS_REQUEST_IN_PROGRESS": Transient,
        "DECLINED": Rejected,  # with a 201
        "FAILED": Rejected,
        "CANCELLED": Rejected,
        "PAYER_ACTION_REQUIRED": Rejected,  # an order that only its buyer can go on with
    },
    code=_code,
    probe=_look,
)

Id = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,36}$")]
Amount = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}(\.[0-9]{1,3})?$"), Field(examples=["19.99"])]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Mark = Annotated[str, StringConstraints(min_length=1, max_length=127)]
UNITS = "in units of the currency, with its decimals: 19.99 euros, 1999 yen"


class Purchase(Payload):
    """What is to be paid."""

    amount: Annotated[Amount, Field(description=UNITS)]
    currency: Currency
    description: Mark | None = None
    custom_id: Mark | None = Field(None, description="yours; it comes back in PayPal's reports and webhooks")
    invoice_id: Mark | None = Field(None, description="yours; PayPal refuses one that was paid")

    def unit(self) -> dict[str, Any]:
        """As PayPal wants it said."""
        marks = self.model_dump(include={"description", "custom_id", "invoice_id"}, exclude_none=True)
        return {**marks, "amount": {"currency_code": self.currency, "value": self.amount}}


class Order(Purchase):
    """What a buyer is to approve, on PayPal's pages, and pay."""

    return_url: TargetUrl | None = Field(None, description="where the buyer comes back to, having approved")
    cancel_url: TargetUrl | None = Field(None, description="or not")


@paypal.task(
    "order.create",
    repeatable=ORDERS_REMEMBERED,
    example={"amount": "19.99", "currency": "EUR", "custom_id": "order-7", "return_url": "https://example.com/thanks"},
)
def create_order(order: Order, account: PayPal, context: Context) -> dict[str, Any]:
    """Create an order. The result has the address (`approve`) where the buyer approves it; then it can be captured."""
    pages = order.model_dump(include={"return_url", "cancel_url"}, exclude_none=True)
    body = {
        "intent": "CAPTURE",
        "purchase_units": [order.unit()],
        **({"application_context": pages} if pages else {}),
    }
    made = account.post("/v2/checkout/orders", body, context).json()
    ways = {link["rel"]: link["href"] for link in made.get("links", [])}
    return {"id": made["id"], "status": made["status"], "approve": ways.get("approve")}


class Capture(Payload):
    """An order that its buyer has approved."""

    order: Id


@paypal.task("order.capture", repeatable=ORDERS_REMEMBERED, example={"order": "5O190127TN364715T"})
def capture_order(capture: Capture, account: PayPal, context: Context) -> dict[str, Any]:
    """Take the money for an order that its buyer has approved. One that was captured before is a success."""
    return _captured(account.post(f"/v2/checkout/orders/{capture.order}/capture", {}, context))


class Charge(Purchase):
    """What a buyer pays with the PayPal account that they let you keep."""

    vault_id: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,255}$")] = Field(description="of that account")


@paypal.task(
    "order.charge",
    repeatable=ORDERS_REMEMBERED,
    example={"amount": "19.99", "currency": "EUR", "vault_id": "8kk8451t", "custom_id": "order-7"},
)
def charge_order(charge: Charge, account: PayPal, context: Context) -> dict[str, Any]:
    """Take money from a PayPal account that its owner let you keep; nobody need approve it."""
    body = {
        "intent": "CAPTURE",
        "purchase_units": [charge.unit()],
        "payment_source": {"paypal": {"vault_id": charge.vault_id}},
    }
    return _captured(account.post("/v2/checkout/orders", body, context))


def _charge(charge: Taking) -> dict[str, Any]:
    amount = in_units(charge.amount, charge.currency)
    return {"amount": amount, "currency": charge.currency, "vault_id": charge.source, "custom_id": charge.reference}


payment_charge.by("paypal.order.charge", _charge)


def _captured(reply: Reply) -> dict[str, Any]:
    made = reply.json()
    if made["status"] != "COMPLETED":
        raise Answered(reply, code=made["status"])
    (taken,) = made["purchase_units"][0]["payments"]["captures"]
    _check(taken, reply)
    return {"id": made["id"], "status": made["status"], "capture": taken["id"], "capture_status": taken["status"]}


class Refund(Payload):
    """What to pay back of a capture."""

    capture: Id
    amount: Annotated[Amount | None, Field(description=f"{UNITS}; by default all that is left")] = None
    currency: Currency | None = Field(None, description="of the capture; needed with amount")
    invoice_id: Mark | None = None
    note_to_payer: Annotated[str, Field(min_length=1, max_length=255)] | None = None

    @model_validator(mode="after")
    def _amount_has_its_currency(self) -> Self:
        if (self.amount is None) != (self.currency is None):
            raise ValueError("give amount and currency, or neither")
        return self


@paypal.task(
    "capture.refund",
    repeatable=PAYMENTS_REMEMBERED,
    example={"capture": "2GG279541U471931P", "amount": "5.00", "currency": "EUR"},
)
def refund_capture(refund: Refund, account: PayPal, context: Context) -> dict[str, Any]:
    """Refund a payment, whole or in part."""
    body: dict[str, Any] = refund.model_dump(include={"invoice_id", "note_to_payer"}, exclude_none=True)
    if refund.amount is not None:
        body["amount"] = {"currency_code": refund.currency, "value": refund.amount}
    reply = account.post(f"/v2/payments/captures/{refund.capture}/refund", body, context)
    made = reply.json()
    _check(made, reply)
    return {"id": made["id"], "status": made["status"], "amount": made.get("amount")}


def _refund(refund: Return) -> dict[str, Any]:
    amount = in_units(refund.amount, refund.currency)
    return {"capture": refund.payment, "amount": amount, "currency": refund.currency}


payment_refund.by("paypal.capture.refund", _refund)


def _check(made: Any, reply: Reply) -> None:
    if made["status"] in {"DECLINED", "FAILED", "CANCELLED"}:
        raise Answered(reply, code=made["status"])
