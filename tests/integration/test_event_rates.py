"""What events cost, in CPU time: many subscriptions cost little more than few; a batch twice what its jobs do, at most."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from jobs import events, subscriptions
from jobs.arrival import Arrival
from jobs.matching import rulebook
from jobs.model import Event, Job, Subscription
from jobs.order import Order
from jobs.submit import submit_many
from runtime import clock
from runtime.database import transaction

pytestmark = [pytest.mark.usefixtures("ledger"), pytest.mark.parametrize("ledger", ["sqlite"], indirect=True)]

BATCH, ROUNDS = 500, 7


def subscribe(count: int) -> None:
    """As many subscriptions, of patterns and filters of every sort; one of them fits the events below."""
    with transaction() as session:
        session.execute(sa.delete(Subscription))
        for number in range(count):
            types, where = _sort(number)
            subscriptions.add(
                session,
                Subscription(
                    id=uuid7(), tenant="default", name=f"s{number}", types=types, where=where, task="test.echo",
                    payload={"order": "{{data.order}}"}, queue="default", priority=1, delay=clock.now() - clock.now(),
                    timeout=clock.now() - clock.now(), retry={}, tags=[], created_at=clock.now(), revision=1,
                ),
            )  # fmt: skip


def _sort(number: int) -> tuple[list[str], dict[str, Any]]:
    if number == 0:
        return ["order.*"], {"data": {"currency": ["EUR"]}}
    match number % 4:
        case 0:
            return [f"order{number}.paid"], {}
        case 1:
            return ["order.*"], {"data": {"customer": [f"c{number}"]}}
        case 2:
            return [f"shop{number}.**"], {"data": {"amount": [{"numeric": [">", number]}]}}
    return ["order.paid", "order.refunded"], {"data": {"currency": [f"X{number}"], "amount": [{"numeric": ["<", number]}]}}


def arrivals() -> list[Arrival]:
    return [Arrival("order.paid", "/shop", str(uuid7()), {"order": 1, "currency": "EUR", "amount": 5}) for _ in range(BATCH)]


def cost(work: Callable[[], object]) -> float:
    """Seconds of CPU: the least of some rounds."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


def record(some: list[Arrival]) -> None:
    with transaction() as session:
        events.record(session, some)


def test_a_thousand_subscriptions_cost_an_event_little_more_than_ten() -> None:
    spent = {}
    for count in (10, 1000):
        subscribe(count)
        record(arrivals()[:1])  # reads the rules
        spent[count] = cost(lambda: record(arrivals()))
    ratio = spent[1000] / spent[10]
    print(f"an event: {spent[10] / BATCH * 1e6:.0f} us with 10 subscriptions, {ratio:.2f} times that with 1,000")
    assert ratio < 1.2
    with transaction() as session:
        made = session.scalar(sa.select(sa.func.count()).select_from(Job))
        assert made == session.scalar(sa.select(sa.func.count()).select_from(Event)) == 2 * (ROUNDS * BATCH + 1)


def test_events_come_in_at_half_the_rate_of_jobs_or_more() -> None:
    subscribe(1)
    orders = [(Order("test.echo", {"order": 1}, "default"), None)] * BATCH

    def submit() -> None:
        with transaction() as session:
            submit_many(session, orders)

    jobs, of_events = cost(submit), cost(lambda: record(arrivals()))
    print(f"in a batch: a job {jobs / BATCH * 1e6:.0f} us, an event with its job {of_events / BATCH * 1e6:.0f} us")
    assert of_events < 2 * jobs
    rulebook._books.clear()
