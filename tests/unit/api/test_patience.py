"""The door's way to the ledger: never longer than its patience, and what comes too late is undone."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from api.ledger import READERS, Ledger, LedgerBusy
from jobs.model import Queue
from runtime.database import snapshot
from tests.servers import wait_until

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """One that waits for 0.3 s."""
    made = Ledger(timedelta(seconds=0.3))
    yield made
    made.close()


@pytest.fixture
def patient() -> Iterator[Ledger]:
    """One that waits longer than a busy machine stalls."""
    made = Ledger(timedelta(seconds=20))
    yield made
    made.close()


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    """What hung calls wait for; set at the end at the latest."""
    event = threading.Event()
    yield event
    event.set()


def names() -> list[str]:
    with snapshot() as session:
        return list(session.scalars(select(Queue.name).order_by(Queue.name)))


async def seconds_until_busy(asking: Any) -> float:
    started = perf_counter()
    with pytest.raises(LedgerBusy):
        await asking
    return perf_counter() - started


def test_a_read_that_hangs_is_not_waited_for(ledger: Ledger, hang: threading.Event) -> None:
    assert 0.2 < asyncio.run(seconds_until_busy(ledger.read(lambda _: hang.wait(20)))) < 5


def test_a_write_that_hangs_is_not_waited_for_and_undone_when_it_comes_through(
    ledger: Ledger, hang: threading.Event
) -> None:
    def slowly(session: Session) -> None:
        session.add(Queue(name="late"))
        session.flush()
        hang.wait(20)

    async def scene() -> None:
        assert 0.2 < await seconds_until_busy(ledger.write(slowly)) < 5
        hang.set()
        await ledger.write(lambda session: session.add(Queue(name="next")), patience=20)

    asyncio.run(scene())
    assert names() == ["next"]


def test_those_behind_a_write_that_hangs_are_told_in_time_too(ledger: Ledger, hang: threading.Event) -> None:
    async def scene() -> list[float]:
        hung = asyncio.create_task(seconds_until_busy(ledger.write(lambda _: hang.wait(20))))
        return await asyncio.gather(
            hung, *(seconds_until_busy(ledger.write(lambda session: session.add(Queue(name="x")))) for _ in range(5))
        )

    assert max(asyncio.run(scene())) < 5
    hang.set()
    done = Queue(name="done")
    asyncio.run(Ledger(timedelta(seconds=10)).write(lambda session: session.add(done)))
    wait_until(lambda: names() == ["done"], 10, "only the last to be stored")


def test_all_readers_hang_and_the_next_is_told_in_time(ledger: Ledger, hang: threading.Event) -> None:
    async def scene() -> list[float]:
        return await asyncio.gather(*(seconds_until_busy(ledger.read(lambda _: hang.wait(20))) for _ in range(READERS + 4)))

    assert max(asyncio.run(scene())) < 5
    hang.set()


def test_what_the_database_cannot_do_now_is_said_as_busy(patient: Ledger) -> None:
    def locked(_: Session) -> None:
        raise OperationalError("BEGIN", {}, Exception("database is locked"))

    for asking in (patient.read, patient.write):
        with pytest.raises(LedgerBusy):
            asyncio.run(asking(locked))  # type: ignore[arg-type]


def test_a_mistake_is_the_callers_to_hear(patient: Ledger) -> None:
    def wrong(_: Session) -> None:
        raise KeyError("mine")

    for asking in (patient.read, patient.write):
        with pytest.raises(KeyError, match="mine"):
            asyncio.run(asking(wrong))  # type: ignore[arg-type]


def test_a_request_that_is_cancelled_leaves_the_writer_alone(patient: Ledger, hang: threading.Event) -> None:
    async def scene() -> None:
        began = threading.Event()
        leaving = asyncio.create_task(patient.write(lambda _: (began.set(), hang.wait(20))))
        await asyncio.to_thread(began.wait, 10)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        hang.set()
        await patient.write(lambda session: session.add(Queue(name="next")))

    asyncio.run(scene())
    assert names() == ["next"]


def test_a_read_cannot_write(patient: Ledger) -> None:
    async def scene() -> None:
        await patient.read(lambda session: session.scalars(select(Queue)).all())
        await patient.write(lambda session: session.add(Queue(name="a")))

    asyncio.run(scene())
    assert names() == ["a"]
