"""What events cost in CPU time: with ten subscriptions and with a thousand, and beside the jobs that they set off.

python -m bench.events            # SQLite, seconds
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from uuid_utils.compat import uuid7

from jobs import events, migrate, subscriptions
from jobs.arrival import Arrival
from jobs.model import Subscription
from jobs.order import Order
from jobs.submit import submit_many
from runtime import clock, database
from runtime.database import transaction
from runtime.publisher import publisher

BATCH, ROUNDS = 500, 15


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


def record(some: list[Arrival]) -> None:
    with transaction() as session:
        events.record(session, some)


def submit(metadata: dict[str, str] | None = None) -> None:
    """As many jobs in one transaction as `arrivals` has events."""
    with transaction() as session:
        submit_many(session, [(Order("test.echo", {"order": 1}, "default", metadata=metadata or {}), None)] * BATCH)


def cost(*works: Callable[[], object]) -> list[float]:
    """Microseconds of CPU for one of a batch, by each work: medians of rounds in which they take turns."""
    spent: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, times in zip(works, spent, strict=True):
            began = time.process_time()
            work()
            times.append((time.process_time() - began) / BATCH * 1e6)
    return [statistics.median(times) for times in spent]


def main() -> None:
    """Measure and say it."""
    publisher.offer = lambda hints: None  # type: ignore[method-assign]  # nothing is published
    with tempfile.TemporaryDirectory(prefix="treadle-events-") as folder:
        engine = database.create_engine(f"sqlite:///{Path(folder) / 'ledger.db'}")
        database.use(engine)
        migrate.upgrade(engine)
        spent = {}
        for count in (10, 1000):
            subscribe(count)
            record(arrivals()[:1])  # reads the rules
            (spent[count],) = cost(lambda: record(arrivals()))
        subscribe(1)
        a_job, an_event = cost(submit, lambda: record(arrivals()))
        database.use(None)
    more = spent[1000] / spent[10]
    print(f"an event with its job: {spent[10]:.0f} us with 10 subscriptions, {more:.2f} times that with 1,000")
    print(f"a job {a_job:.0f} us, an event with its job {an_event:.0f} us: {a_job / an_event:.2f} of the rate")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
