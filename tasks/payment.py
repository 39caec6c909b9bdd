"""Payments, as every provider of them takes them."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from tasks.capability import Capability
from tasks.fields import Shape

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(examples=["EUR"])]
"""A currency's code in ISO 4217."""

Amount = Annotated[int, Field(ge=1, le=99_999_999, description="in the currency's smallest unit: cents, or whole yen")]
Mark = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]
"""An id that a provider gave."""

_WHOLE = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")
)
_THOUSANDTHS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


def decimals(currency: str) -> int:
    """How many decimals a currency has in ISO 4217."""
    return 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2


def in_units(amount: int, currency: str) -> str:
    """An amount in units of its currency: 1999 cents are 19.99 euros."""
    digits = decimals(currency)
    return f"{amount:0{digits + 1}d}"[:-digits] + "." + f"{amount:0{digits + 1}d}"[-digits:] if digits else str(amount)


class Charge(Shape):
    """Money to be taken at once."""

    amount: Amount
    currency: Currency
    source: Mark = Field(description="what pays, as the provider named it: pm_…, cnon:…, the id of a vaulted PayPal account")
    customer: Mark | None = Field(None, description="whose it is, as the provider named them")
    reference: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = Field(
        None, description="yours, such as an order's number"
    )


class Refund(Shape):
    """What to pay back of a payment."""

    payment: Mark = Field(description="as the provider named it: pi_…, or PayPal's capture")
    amount: Amount
    currency: Currency = Field(description="of the payment")


CHARGE: dict[str, Any] = {"amount": 1999, "currency": "EUR", "source": "pm_card_visa", "reference": "order-7"}
REFUND: dict[str, Any] = {"payment": "pi_1", "amount": 500, "currency": "EUR"}

payment_charge = Capability.of("payment.charge", Charge, "Take money at once.", alike=False, example=CHARGE)
payment_refund = Capability.of("payment.refund", Refund, "Pay back what was taken.", alike=False, example=REFUND)
