"""What events cost, in calls of functions, which no load changes. `python -m bench.events` has the times."""

import sys
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from bench.events import BATCH, arrivals, record, submit, subscribe
from jobs.matching import rulebook
from jobs.model import Event, Job
from runtime.database import transaction

pytestmark = [pytest.mark.usefixtures("ledger"), pytest.mark.parametrize("ledger", ["sqlite"], indirect=True)]

ROUNDS = 2


def cost(work: Callable[[], object]) -> float:
    """How many functions were called, of Python's and of C's: the least of some rounds."""
    calls: list[int] = []

    def count(_: object, event: str, __: object) -> None:
        calls[-1] += event in {"call", "c_call"}

    for _ in range(ROUNDS):
        calls.append(0)
        sys.setprofile(count)
        try:
            work()
        finally:
            sys.setprofile(None)
    return min(calls)


def test_a_thousand_subscriptions_cost_an_event_little_more_than_ten() -> None:
    spent = {}
    for count in (10, 1000):
        subscribe(count)
        record(arrivals()[:1])  # reads the rules
        spent[count] = cost(lambda: record(arrivals()))
    ratio = spent[1000] / spent[10]
    print(f"an event: {spent[10] / BATCH:.0f} calls with 10 subscriptions, {ratio:.2f} times that with 1,000")
    assert ratio < 1.2
    with transaction() as session:
        made = session.scalar(sa.select(sa.func.count()).select_from(Job))
        assert made == session.scalar(sa.select(sa.func.count()).select_from(Event)) == 2 * (ROUNDS * BATCH + 1)


def test_an_event_costs_little_more_than_the_job_that_it_makes() -> None:
    subscribe(1)
    like_theirs = {"subscription": "s0", "event": "order.paid"}  # it is found by them, at the price of two rows
    jobs, of_events = cost(lambda: submit(like_theirs)), cost(lambda: record(arrivals()))
    print(f"in a batch: a job {jobs / BATCH:.0f} calls, an event with its job {of_events / BATCH:.0f}")
    assert of_events < 4 * jobs  # the work of the database, which both have, is in no call
    rulebook._books.clear()
