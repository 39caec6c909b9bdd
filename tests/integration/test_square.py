"""Square's own client: what it asks for where the conformance suite does not look, held against Square's specification."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from jobs.errors import Invalid, Unauthorized
from tasks import Context, catalogue, load
from tasks.integrations.square import clients, square
from tests.contract.integrations.fake import Answer, Fake
from tests.contract.specification import specification

CHARGED = UUID("0190a5b2-7c3e-7000-8000-00000000c4a6")


@pytest.fixture
def fake(configure: Callable[..., None]) -> Iterator[Fake]:
    load()
    fake = Fake()
    configure(accounts__square__access_token="EAAAtest", accounts__square__base_url=fake.url)
    yield fake
    clients.close()
    fake.close()


def run(operation: str, **payload: Any) -> Any:
    task = catalogue.find(f"square.{operation}")
    return task.call(task.accept(payload), Context(uuid4(), task.name))


def test_what_a_job_may_have_paid_is_cancelled_by_that_jobs_key(fake: Fake) -> None:
    fake.script = lambda _: Answer(json={})
    assert run("payment.cancel", job_id=str(CHARGED)) == {"job_id": str(CHARGED), "status": "CANCELED"}
    (asked,) = fake.requests
    assert (asked.path, asked.json()) == ("/v2/payments/cancel", {"idempotency_key": str(CHARGED)})
    specification("square/square").check_request(asked)


@pytest.mark.parametrize("payload", [{}, {"payment_id": "R2B3", "job_id": str(CHARGED)}, {"payment_id": "../refunds"}])
def test_cancellations_that_cannot_be(payload: dict[str, Any], fake: Fake) -> None:
    with pytest.raises(Invalid):
        run("payment.cancel", **payload)
    assert not fake.requests


def test_money_that_is_only_reserved_is_said_to_be(fake: Fake) -> None:
    fake.script = lambda _: Answer(json={"payment": {"id": "R2B3", "status": "APPROVED"}})
    made = run("payment.create", source_id="cnon:card-nonce-ok", amount=1999, currency="USD", autocomplete=False)
    assert made["status"] == "APPROVED"
    (asked,) = fake.requests
    assert asked.json()["autocomplete"] is False
    specification("square/square").check_request(asked)


def test_the_probe_lists_locations(fake: Fake) -> None:
    fake.script = lambda _: Answer(json={"locations": []})
    assert square.check(square.find()) is None
    fake.script = lambda _: Answer(401, {"errors": [{"category": "AUTHENTICATION_ERROR", "code": "UNAUTHORIZED"}]})
    assert isinstance(square.check(square.find()), Unauthorized)
    assert [asked.path for asked in fake.requests] == ["/v2/locations"] * 2
    specification("square/square").check_request(fake.requests[0])
