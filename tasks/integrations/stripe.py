"""Stripe: payments, refunds and customers."""

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, SecretStr, StringConstraints

from jobs.errors import Transient
from tasks.accounts import Account, BaseUrl
from tasks.answers import Answer
from tasks.clients import Clients
from tasks.context import Context
from tasks.payment import Charge, payment_charge, payment_refund
from tasks.payment import Refund as Return
from tasks.provider import CONNECT, Payload, Provider
from tasks.rate import Rate, rate

if TYPE_CHECKING:
    from stripe import StripeClient, StripeObject
    from stripe.params import CustomerCreateParams, PaymentIntentCreateParams, RefundCreateParams

REMEMBERED = timedelta(hours=24)  # an Idempotency-Key, with its answer, be that an error


class Stripe(Account):
    """A secret key, or a restricted one that may write what is asked for."""

    api_key: SecretStr = Field(examples=["sk_live_…"])
    base_url: BaseUrl = "https://api.stripe.com"
    rate: Rate | None = rate("80/s")  # Stripe allows 100 in live mode, 25 in a sandbox


def _connect(account: Stripe) -> "StripeClient":
    import stripe

    return stripe.StripeClient(
        account.api_key.get_secret_value(),
        base_addresses={"api": account.base_url},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=(CONNECT, account.timeout.total_seconds())),
    )


clients = Clients(_connect)


def _answer(error: Exception) -> Answer | None:
    import stripe

    if not isinstance(error, stripe.StripeError) or error.http_status is None:
        return None
    code, declined = (getattr(error.error, name, None) for name in ("code", "decline_code"))
    more = {"request_id": error.request_id, "decline_code": declined}
    headers = error.headers or {}
    again = headers.get("stripe-should-retry") == "true" and error.http_status != HTTPStatus.TOO_MANY_REQUESTS
    return Answer(error.http_status, error.user_message or "", code, headers, detail=more, kind=Transient if again else None)


def _look(account: Stripe) -> None:
    clients.get(account).v1.balance.retrieve()


stripe = Provider(
    "stripe",
    account=Stripe,
    errors={409: Transient, "lock_timeout": Transient},  # they are about one object or key that is in use, not the account
    answer=_answer,
    extra="stripe",
    module="stripe",
    probe=_look,
)

Metadata = Annotated[dict[str, Annotated[str, Field(max_length=500)]], Field(max_length=50)]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,255}$")]


class PaymentIntent(Payload):
    """A payment to be made."""

    amount: int = Field(ge=1, le=99_999_999, description="in the currency's smallest unit: cents, or whole yen")
    currency: Annotated[str, StringConstraints(pattern=r"^[a-z]{3}$")]
    customer: Id | None = None
    payment_method: Id | None = None
    confirm: bool = Field(False, description="charge at once")
    off_session: bool | None = Field(None, description="the customer is not there; only with confirm")
    return_url: Annotated[str, Field(max_length=2048)] | None = None
    description: Annotated[str, Field(max_length=1000)] | None = None
    receipt_email: Annotated[str, Field(max_length=512)] | None = None
    metadata: Metadata = Field({})


@stripe.task(
    "payment_intent.create",
    repeatable=REMEMBERED,
    example={"amount": 1999, "currency": "eur", "customer": "cus_1", "payment_method": "pm_card_visa", "confirm": True},
)
def create_payment_intent(payment: PaymentIntent, account: Stripe, context: Context) -> dict[str, Any]:
    """Create a payment, and charge it at once if `confirm` says so."""
    params: PaymentIntentCreateParams = _params(payment)
    made = clients.get(account).v1.payment_intents.create(params, {"idempotency_key": context.key()})
    return _kept(made, "status", "amount", "amount_received", "currency", "customer", "latest_charge")


def _charge(charge: Charge) -> dict[str, Any]:
    return {
        "amount": _amount(charge),
        "currency": charge.currency.lower(),
        "payment_method": charge.source,
        "customer": charge.customer,
        "metadata": {"reference": charge.reference} if charge.reference else {},
        "confirm": True,
        "off_session": True,
    }


payment_charge.by("stripe.payment_intent.create", _charge)


class Refund(Payload):
    """What to pay back: a payment, or a charge of old."""

    payment_intent: Id | None = None
    charge: Id | None = None
    amount: int | None = Field(None, ge=1, description="by default all that is left")
    metadata: Metadata = Field({})


@stripe.task("refund.create", repeatable=REMEMBERED, example={"payment_intent": "pi_1", "amount": 500})
def create_refund(refund: Refund, account: Stripe, context: Context) -> dict[str, Any]:
    """Refund a payment, whole or in part."""
    params: RefundCreateParams = _params(refund)
    made = clients.get(account).v1.refunds.create(params, {"idempotency_key": context.key()})
    return _kept(made, "status", "amount", "currency", "payment_intent", "charge")


def _refund(refund: Return) -> dict[str, Any]:
    what = "payment_intent" if refund.payment.startswith("pi_") else "charge"
    return {what: refund.payment, "amount": _amount(refund)}


payment_refund.by("stripe.refund.create", _refund)


class Customer(Payload):
    """A customer."""

    email: Annotated[str, Field(max_length=512)] | None = None
    name: Annotated[str, Field(max_length=256)] | None = None
    phone: Annotated[str, Field(max_length=20)] | None = None
    description: Annotated[str, Field(max_length=1000)] | None = None
    metadata: Metadata = Field({})


@stripe.task("customer.create", repeatable=REMEMBERED, example={"email": "ada@example.com", "name": "Ada Lovelace"})
def create_customer(customer: Customer, account: Stripe, context: Context) -> dict[str, Any]:
    """Create a customer."""
    params: CustomerCreateParams = _params(customer)
    made = clients.get(account).v1.customers.create(params, {"idempotency_key": context.key()})
    return _kept(made, "email", "name")


def _amount(money: Charge | Return) -> int:
    """Stripe counts hundredths of two currencies that have none. https://docs.stripe.com/currencies#special-cases"""
    return money.amount * (100 if money.currency in {"ISK", "UGX"} else 1)


def _params(payload: Payload) -> Any:
    return payload.model_dump(exclude={"account"}, exclude_none=True, exclude_defaults=True)


def _kept(made: "StripeObject", *names: str) -> dict[str, Any]:
    """The object's id and a few fields; a client_secret among the others must not get into the ledger."""
    fields = made.to_dict()
    return {name: fields.get(name) for name in ("id", *names)}
