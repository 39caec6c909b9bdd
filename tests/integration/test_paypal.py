"""PayPal's access tokens: kept, shared by threads, and replaced when they are refused."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from jobs.errors import Invalid, Unauthorized
from tasks import Context, catalogue, load
from tasks.integrations.paypal import paypal, tokens
from tests.contract.integrations.fake import Answer, Fake, Request

ORDER = Answer(201, {"id": "5O1", "status": "CREATED"})
PAYLOAD = {"amount": "19.99", "currency": "EUR"}


class Bank(Fake):
    """Gives out token after token, and takes only those in `good`; None: each."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[str] = []
        self.good: set[str] | None = None
        self.script = self._serve

    def _serve(self, request: Request) -> Answer:
        if request.path == "/v1/oauth2/token":
            assert request.headers["authorization"].startswith("Basic ")
            assert request.form() == {"grant_type": "client_credentials"}
            self.given.append(f"token-{len(self.given)}")
            return Answer(json={"access_token": self.given[-1], "expires_in": 32400})
        used = request.headers["authorization"].removeprefix("Bearer ")
        return ORDER if self.good is None or used in self.good else Answer(401, {"error": "invalid_token"})


@pytest.fixture
def bank(configure: Callable[..., None]) -> Iterator[Bank]:
    load()
    bank = Bank()
    account = {"client_id": "our-id", "client_secret": "our-secret", "base_url": bank.url}
    configure(**{f"accounts__paypal__{name}": value for name, value in account.items()})
    yield bank
    tokens.close()
    bank.close()


def run(**payload: Any) -> Any:
    task = catalogue.find("paypal.order.create")
    return task.call(task.accept(payload or PAYLOAD), Context(uuid4(), task.name))


def test_one_token_serves_many_calls_of_many_threads(bank: Bank) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: run(), range(8)))
    assert bank.given == ["token-0"]
    assert len(bank.requests) == 9


def test_a_token_that_is_refused_before_its_time_is_replaced_once_under_the_same_key(bank: Bank) -> None:
    run()
    bank.good = {"token-1"}
    assert run()["id"] == "5O1"
    *_, refused, _, taken = bank.requests
    assert refused.headers["paypal-request-id"] == taken.headers["paypal-request-id"]
    assert bank.given == ["token-0", "token-1"]


def test_a_new_token_that_is_refused_means_no_access(bank: Bank) -> None:
    bank.good = set()
    with pytest.raises(Unauthorized):
        run()
    assert bank.given == ["token-0"]
    assert len(bank.requests) == 2


def test_the_probe_asks_for_a_token(bank: Bank) -> None:
    assert paypal.check(paypal.find()) is None
    bank.script = lambda _: Answer(401, {"error": "invalid_client"})
    failure = paypal.check(paypal.find())
    assert isinstance(failure, Unauthorized)
    assert failure.code == "invalid_client"


@pytest.mark.parametrize(
    "change", [{"amount": 19.99}, {"amount": "-1"}, {"amount": "1,00"}, {"currency": "eur"}, {"nonsense": 1}]
)
def test_orders_that_cannot_be(change: dict[str, Any], bank: Bank) -> None:
    with pytest.raises(Invalid):
        run(**PAYLOAD | change)
    assert not bank.requests


@pytest.mark.parametrize("change", [{"amount": "5.00"}, {"currency": "EUR"}, {"capture": "../orders"}])
def test_refunds_that_cannot_be(change: dict[str, Any], bank: Bank) -> None:
    with pytest.raises(Invalid):
        catalogue.find("paypal.capture.refund").accept({"capture": "2GG279541U471931P"} | change)
