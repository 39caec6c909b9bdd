"""Stripe's own client against localstripe, an independent implementation that keeps what it is told."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from jobs.errors import Invalid, Rejected, Unauthorized
from tasks import Context, catalogue, load
from tasks.integrations.stripe import clients, stripe
from tests.localstripe import KEY, LocalStripe


@pytest.fixture(scope="module")
def server() -> Iterator[LocalStripe]:
    started = LocalStripe()
    started.start()
    yield started
    clients.close()
    started.remove()


@pytest.fixture(autouse=True)
def _account(server: LocalStripe, configure: Callable[..., None]) -> None:
    load()
    configure(accounts__stripe__api_key=KEY, accounts__stripe__base_url=server.url)


def run(operation: str, **payload: Any) -> Any:
    task = catalogue.find(f"stripe.{operation}")
    return task.call(task.accept(payload), Context(uuid4(), task.name))


def test_a_customer_pays_and_is_paid_back(server: LocalStripe) -> None:
    customer = run("customer.create", email="ada@example.com", name="Ada", metadata={"order": "7"})
    assert server.get(f"/v1/customers/{customer['id']}")["metadata"] == {"order": "7"}

    paid = run(
        "payment_intent.create",
        amount=1999,
        currency="eur",
        customer=customer["id"],
        payment_method="pm_card_visa",
        confirm=True,
    )
    assert (paid["status"], paid["amount"], paid["currency"]) == ("succeeded", 1999, "eur")
    assert "client_secret" not in paid

    back = run("refund.create", payment_intent=paid["id"], amount=500)
    assert (back["status"], back["amount"]) == ("succeeded", 500)
    assert server.get(f"/v1/refunds/{back['id']}")["amount"] == 500


def test_what_does_not_exist_is_rejected_with_its_code() -> None:
    with pytest.raises(Rejected) as caught:
        run("refund.create", payment_intent="pi_nowhere")
    assert caught.value.status == 404
    assert not isinstance(caught.value, Unauthorized)


def test_a_wrong_key_is_unauthorized(configure: Callable[..., None]) -> None:
    configure(accounts__stripe__api_key="wrong_key_of_ours")
    with pytest.raises(Unauthorized) as caught:
        run("customer.create", email="ada@example.com")
    assert "wrong_key_of_ours" not in repr(caught.value)


def test_the_probe_says_whether_the_account_works(configure: Callable[..., None]) -> None:
    assert stripe.check(stripe.find()) is None
    configure(accounts__stripe__api_key="wrong_key_of_ours")
    assert isinstance(stripe.check(stripe.find()), Unauthorized)


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 0},
        {"amount": 1.5},
        {"currency": "EUR"},
        {"customer": "../v1/balance"},
        {"nonsense": 1},
        {"metadata": {"a": "x" * 501}},
    ],
)
def test_payloads_that_cannot_be(change: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        catalogue.find("stripe.payment_intent.create").accept({"amount": 1999, "currency": "eur"} | change)
