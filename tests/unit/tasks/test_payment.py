"""Money, as providers count it."""

from typing import Any

import pytest

from tasks import load
from tasks.payment import in_units, payment_charge, payment_refund

load()


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [(1999, "EUR", "19.99"), (5, "EUR", "0.05"), (1999, "JPY", "1999"), (1234, "KWD", "1.234"), (1, "KWD", "0.001")],
)
def test_an_amount_in_the_smallest_unit_is_told_in_units(amount: int, currency: str, units: str) -> None:
    assert in_units(amount, currency) == units


def _read(task: Any, provider: str, **wanted: Any) -> Any:
    return task.ways[provider].read(task.read(wanted), provider)


def test_stripe_counts_hundredths_of_a_krona_that_has_none() -> None:
    charge = {"currency": "ISK", "source": "pm_1", "amount": 700}
    assert _read(payment_charge, "stripe", **charge).amount == 70_000
    assert _read(payment_charge, "stripe", **charge | {"currency": "JPY"}).amount == 700
    assert _read(payment_refund, "stripe", payment="pi_1", amount=7, currency="ISK").amount == 700


def test_paypal_is_told_units() -> None:
    charge = {"currency": "EUR", "source": "8kk8451t", "amount": 1999, "reference": "order-7"}
    read = _read(payment_charge, "paypal", **charge)
    assert (read.amount, read.custom_id, read.account) == ("19.99", "order-7", "paypal")


@pytest.mark.parametrize(("payment", "field"), [("pi_1", "payment_intent"), ("ch_1", "charge")])
def test_stripe_is_told_what_is_paid_back(payment: str, field: str) -> None:
    assert getattr(_read(payment_refund, "stripe", payment=payment, amount=5, currency="EUR"), field) == payment
