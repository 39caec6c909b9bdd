"""What lacks an account is listed with what mends it, and refused before anything is stored."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.door import Door

REFUND = {"payment_intent": "pi_1", "amount": 500}
MENDING = "The account stripe is not configured. Set TREADLE_ACCOUNTS__STRIPE__API_KEY=sk_live_…"


def listed(door: Door, name: str) -> dict[str, Any]:
    found: dict[str, Any] = door.ask("GET", f"/v1/tasks/{name}").json()
    return found


def test_a_task_without_an_account_is_listed_as_unavailable_and_refused(door: Door) -> None:
    task = listed(door, "stripe.refund.create")
    assert (task["available"], task["missing"]) == (False, MENDING)
    refused = door.post_job("stripe.refund.create", payload=REFUND)
    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"pointer": "/payload/account", "detail": MENDING}]


def test_with_its_account_it_is_taken(door: Door, configure: Callable[..., None]) -> None:
    configure(accounts__stripe__api_key="sk_test_at_the_door")
    assert listed(door, "stripe.refund.create")["available"]
    made = door.post_job("stripe.refund.create", payload=REFUND)
    assert made.status_code == 202
    assert "sk_test_at_the_door" not in door.ask("GET", made.headers["location"]).text


def test_an_api_that_knows_names_only_takes_jobs_for_them(door: Door, configure: Callable[..., None]) -> None:
    configure(known_accounts="stripe-eu")
    assert listed(door, "stripe.refund.create")["available"]
    assert door.post_job("stripe.refund.create", payload=REFUND | {"account": "stripe-eu"}).status_code == 202
    assert door.post_job("stripe.refund.create", payload=REFUND).status_code == 422


def test_a_schedule_is_refused_as_a_job_is(door: Door) -> None:
    given = {"task": "stripe.refund.create", "payload": REFUND, "every": "1h"}
    refused = door.ask("POST", "/v1/schedules", json={"name": "refunds", **given})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/payload/account"


@pytest.mark.parametrize(("task", "status"), [("stripe.refund.create", 202), ("http.request", 422)])
def test_only_a_task_that_keeps_receipts_can_be_asked_to_confirm(
    task: str, status: int, door: Door, configure: Callable[..., None]
) -> None:
    configure(accounts__stripe__api_key="sk_test_at_the_door")
    payload = REFUND if status == 202 else {"url": "https://example.com/"}
    made = door.post_job(task, payload=payload, retry={"on_unknown": "confirm"})
    assert made.status_code == status
    if status == 422:
        assert made.json()["errors"][0]["pointer"] == "/retry/on_unknown"
