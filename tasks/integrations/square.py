"""Square: payments and refunds."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Self
from uuid import UUID

from pydantic import Field, SecretStr, StringConstraints, model_validator

from jobs.errors import RateLimited, Rejected, Transient
from tasks.accounts import Account, BaseUrl
from tasks.answers import Answer
from tasks.clients import Clients
from tasks.context import Context
from tasks.payment import Amount, Charge, Currency, payment_charge, payment_refund
from tasks.payment import Refund as Return
from tasks.provider import CONNECT, Payload, Provider
from tasks.rate import Rate, rate

if TYPE_CHECKING:
    from square.core.request_options import RequestOptions
    from square.requests.money import MoneyParams

REMEMBERED = timedelta(hours=24)  # an idempotency_key; Square publishes no time, and is sure to know it for a day
ONCE: "RequestOptions" = {"max_retries": 0}


class Square(Account):
    """An access token with PAYMENTS_WRITE and PAYMENTS_READ. The sandbox's base_url is https://connect.squareupsandbox.com."""

    access_token: SecretStr = Field(examples=["EAAA…"])
    base_url: BaseUrl = "https://connect.squareup.com"
    rate: Rate | None = rate("10/s")  # Square publishes none; it asks for patience on its first 429


class _Connection:
    """Square's client, on connections that can be closed: it has no way to do that itself."""

    def __init__(self, account: Square) -> None:
        import httpx
        import square

        self._http = httpx.Client(follow_redirects=False)
        self.api = square.Square(
            base_url=account.base_url,
            token=account.access_token.get_secret_value(),
            timeout=httpx.Timeout(account.timeout.total_seconds(), connect=CONNECT),  # type: ignore[arg-type]  # for httpx
            httpx_client=self._http,
        )

    def close(self) -> None:
        self._http.close()


clients = Clients(_Connection)


def _answer(error: Exception) -> Answer | None:
    from square.core.api_error import ApiError

    if not isinstance(error, ApiError) or error.status_code is None:
        return None
    first, *_ = error.errors
    more = [{"category": each.category, "code": each.code, "field": each.field} for each in error.errors]
    return Answer(error.status_code, first.detail or "", first.code, error.headers or {}, detail=more)


def _look(account: Square) -> None:
    clients.get(account).api.locations.list(request_options=ONCE)


square = Provider(
    "square",
    account=Square,
    errors={
        "RATE_LIMITED": RateLimited,
        "TEMPORARY_ERROR": Transient,  # comes with a 400; "safe to retry with the same idempotency key"
    },
    answer=_answer,
    extra="square",
    module="square",
    probe=_look,
)

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_:-]{1,192}$")]


class Payment(Payload):
    """A payment to be made."""

    source_id: Id = Field(description="what pays: a token of the Web Payments SDK, or the id of a card on file")
    amount: Amount
    currency: Currency
    customer_id: Id | None = Field(None, description="needed with a card on file")
    location_id: Id | None = Field(None, description="by default the main location")
    autocomplete: bool = Field(
        True, description="take the money at once; if not, it is reserved until it is taken or cancelled"
    )
    verification_token: Annotated[str, Field(max_length=1000)] | None = Field(None, description="of verifyBuyer()")
    reference_id: Annotated[str, Field(max_length=40)] | None = Field(None, description="yours, such as an order's number")
    buyer_email_address: Annotated[str, Field(max_length=255)] | None = None
    note: Annotated[str, Field(max_length=500)] | None = None


@square.task(
    "payment.create",
    repeatable=REMEMBERED,
    example={"source_id": "cnon:card-nonce-ok", "amount": 1999, "currency": "USD", "reference_id": "order-7"},
)
def create_payment(payment: Payment, account: Square, context: Context) -> dict[str, Any]:
    """Charge a card, or reserve the money on it."""
    more = payment.model_dump(exclude={"account", "amount", "currency"}, exclude_none=True)
    money: MoneyParams = {"amount": payment.amount, "currency": payment.currency}
    payments = clients.get(account).api.payments
    made = payments.create(idempotency_key=context.key(), amount_money=money, request_options=ONCE, **more)
    return _kept(made.payment, "status", "order_id", "receipt_url", refused={"FAILED", "CANCELED"})


def _charge(charge: Charge) -> dict[str, Any]:
    who = {"customer_id": charge.customer, "reference_id": charge.reference}
    return {"source_id": charge.source, "amount": charge.amount, "currency": charge.currency, **who}


payment_charge.by("square.payment.create", _charge)


class Refund(Payload):
    """What to pay back of a payment."""

    payment_id: Id
    amount: Amount
    currency: Currency = Field(description="of the payment")
    reason: Annotated[str, Field(max_length=192)] | None = None


@square.task(
    "refund.create",
    repeatable=REMEMBERED,
    example={"payment_id": "R2B3Z8WMVt3EAmzYWLZvz7Y69EbZY", "amount": 500, "currency": "USD", "reason": "damaged"},
)
def create_refund(refund: Refund, account: Square, context: Context) -> dict[str, Any]:
    """Refund a payment, whole or in part."""
    money: MoneyParams = {"amount": refund.amount, "currency": refund.currency}
    more = refund.model_dump(include={"payment_id", "reason"}, exclude_none=True)
    refunds = clients.get(account).api.refunds
    made = refunds.refund_payment(idempotency_key=context.key(), amount_money=money, request_options=ONCE, **more)
    return _kept(made.refund, "status", "payment_id", refused={"REJECTED", "FAILED"})


def _refund(refund: Return) -> dict[str, Any]:
    return {"payment_id": refund.payment, "amount": refund.amount, "currency": refund.currency}


payment_refund.by("square.refund.create", _refund)


class Cancellation(Payload):
    """A payment whose money has not been taken, by its id; or whatever a job has paid, if anything."""

    payment_id: Id | None = None
    job_id: UUID | None = Field(None, description="of square.payment.create, whose outcome is not known")

    @model_validator(mode="after")
    def _is_about_one_payment(self) -> Self:
        if (self.payment_id is None) == (self.job_id is None):
            raise ValueError("give either payment_id or job_id")
        return self


def _find_cancelled(wanted: Cancellation, account: Square, context: Context) -> dict[str, Any] | None:
    if wanted.payment_id is None:
        return None  # by its key it can be cancelled again
    found = clients.get(account).api.payments.get(wanted.payment_id, request_options=ONCE).payment
    return _kept(found, "status") if found is not None and found.status == "CANCELED" else None


@square.task(
    "payment.cancel", repeatable=False, confirm=_find_cancelled, example={"payment_id": "R2B3Z8WMVt3EAmzYWLZvz7Y69EbZY"}
)
def cancel_payment(wanted: Cancellation, account: Square, context: Context) -> dict[str, Any]:
    """Give back money that is reserved, or undo a payment of which nobody knows whether it was made.

    With `job_id` Square cancels what it was asked for under that job's key; that there is nothing is a success too.
    """
    payments = clients.get(account).api.payments
    if wanted.payment_id is not None:
        return _kept(payments.cancel(wanted.payment_id, request_options=ONCE).payment, "status")
    payments.cancel_by_idempotency_key(idempotency_key=str(wanted.job_id), request_options=ONCE)
    return {"job_id": str(wanted.job_id), "status": "CANCELED"}


def _kept(made: Any, *names: str, refused: frozenset[str] | set[str] = frozenset()) -> dict[str, Any]:
    if made.status in refused:
        raise Rejected(f"Square made it, and says {made.status}.", status=200, code=made.status)
    return {name: getattr(made, name) for name in ("id", *names)}
