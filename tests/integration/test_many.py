"""Large numbers: a thousand identical requests at one moment, and one act on as many dead letters as an outage leaves."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from uuid_utils.compat import uuid7

from client import AsyncTreadle, Treadle
from client.models import JobOut
from jobs.model import Job
from jobs.order import Order
from jobs.states import Reason, State
from runtime import clock
from runtime.database import snapshot, transaction
from scheduler import bulk
from tests.contract.door import Door
from tests.servers import wait_until

CONNECTIONS = 20  # of one client
PAYLOAD = {"url": "https://example.com/"}


@pytest.fixture
def door(ledger: Engine) -> Iterator[Door]:
    """A door whose ledger is also filled from behind."""
    with Door() as opened:
        yield opened


def count(**values: Any) -> int:
    query = (
        sa.select(sa.func.count()).select_from(Job).where(*(getattr(Job, name) == value for name, value in values.items()))
    )
    with snapshot() as session:
        return session.scalars(query).one()


def test_a_thousand_identical_requests_at_once_are_one_job(door: Door) -> None:
    async def ask_all() -> list[JobOut]:
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(AsyncTreadle(door.url, door.keys["write"]))
                for _ in range(1000 // CONNECTIONS)
            ]
            asked = (
                client.create_job(task="http.request", payload=PAYLOAD, idempotency_key="the-same")
                for client in clients
                for _ in range(CONNECTIONS)
            )
            return await asyncio.gather(*asked)

    made = asyncio.run(ask_all())
    assert len(made) == 1000
    assert len({job["id"] for job in made}) == 1
    assert count() == 1


def dead(many: int) -> None:
    """Dead letters, as an outage leaves them."""
    at = clock.now() - timedelta(hours=1)
    failed = {
        "state": State.FAILED, "reason": Reason.EXHAUSTED, "epoch": 1, "attempt": 1, "started_at": at, "finished_at": at,
        "hinted_at": at, "result": None, "error": {"class": "Unavailable", "message": "503"}, "error_class": "Unavailable",
    }  # fmt: skip
    order = Order(task="http.request", payload=PAYLOAD, queue="default")
    for start in range(0, many, 5000):
        with transaction() as session:
            session.execute(sa.insert(Job), [order.row(uuid7(), at) | failed for _ in range(start, min(many, start + 5000))])


@pytest.mark.parametrize("many", [2000, pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_dead_letters_are_retried_once_each_by_an_action_that_is_aborted_half_way_and_resumed(door: Door, many: int) -> None:
    dead(many)
    done = threading.Event()
    schedulers = [threading.Thread(target=_schedule, args=[done]) for _ in range(2)]
    with Treadle(door.url, door.keys["write"]) as treadle:
        action = treadle.begin_action(verb="retry", filter={"error_class": "Unavailable"}, rate=many / 6)
        assert action["expected"] == min(many, 10_000)
        for scheduler in schedulers:
            scheduler.start()
        try:
            seen = [0]

            def reached(part: float) -> bool:
                seen.append(treadle.get_action(action["id"])["done"])
                return seen[-1] >= part * many

            wait_until(lambda: reached(0.4), 900, "the action to be half done")
            aborted = treadle.abort_action(action["id"])
            assert aborted["state"] == "aborted"
            assert 0 < aborted["done"] < many
            assert count(state=State.FAILED) == many - aborted["done"], "what was not met has not moved"
            treadle.resume_action(action["id"])
            wait_until(lambda: reached(1), 900, "the action to end")
            wait_until(lambda: treadle.get_action(action["id"])["state"] == "finished", 60, "the action to say so")
        finally:
            done.set()
            for scheduler in schedulers:
                scheduler.join()
        ended = treadle.get_action(action["id"])
    assert (ended["done"], ended["skipped"]) == (many, 0), "one that is met a second time is skipped: it has moved"
    assert count(state=State.SCHEDULED) == many
    assert seen == sorted(seen)


def _schedule(done: threading.Event) -> None:
    while not done.wait(0.02):
        bulk.act()
