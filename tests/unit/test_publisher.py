"""The publisher: never blocks, holds no more than it may, drops what it cannot send, and recovers."""

import threading
from collections.abc import Iterator
from time import perf_counter
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from runtime import publisher as module
from runtime.broker import Hint
from runtime.publisher import BATCH, Publisher
from tests.clock import Clock
from tests.servers import wait_until


class Outlet:
    """A broker that answers, fails or hangs as it is told."""

    def __init__(self) -> None:
        self.sent: list[list[Hint]] = []
        self.away = False
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked = threading.Event()
        self.closed = False

    def publish(self, hints: list[Hint]) -> None:
        self.asked.set()
        assert self.may_answer.wait(10)
        if self.away:
            raise ConnectionError("the broker is away")
        self.sent.append(list(hints))

    def close(self) -> None:
        self.closed = True

    @property
    def all_sent(self) -> list[Hint]:
        return [hint for batch in self.sent for hint in batch]


@pytest.fixture
def outlet(monkeypatch: pytest.MonkeyPatch) -> Outlet:
    made = Outlet()
    monkeypatch.setattr(module, "Outlet", lambda: made)
    return made


@pytest.fixture
def publisher(outlet: Outlet) -> Iterator[Publisher]:
    made = Publisher()
    yield made
    outlet.may_answer.set()
    made.close()
    if made._thread is not None:
        made._thread.join(10)
        assert not made._thread.is_alive(), "the publisher's thread has not ended"


def hints(count: int) -> list[Hint]:
    return [Hint(uuid4(), "test.echo", "default", 1) for _ in range(count)]


def dropped() -> float:
    return REGISTRY.get_sample_value("treadle_hints_dropped_total") or 0.0


def test_what_is_offered_is_sent_in_order_and_in_batches(publisher: Publisher, outlet: Outlet) -> None:
    outlet.may_answer.clear()
    offered = hints(2 * BATCH + 7)
    publisher.offer(offered[:1])
    assert outlet.asked.wait(5)
    publisher.offer(offered[1:])
    outlet.may_answer.set()
    publisher.flush(5)
    assert outlet.all_sent == offered
    assert [len(batch) for batch in outlet.sent] == [1, BATCH, BATCH, 6]


def test_offering_to_a_hanging_broker_returns_at_once(publisher: Publisher, outlet: Outlet) -> None:
    outlet.may_answer.clear()
    started = perf_counter()
    for _ in range(100):
        publisher.offer(hints(5))
    assert perf_counter() - started < 5
    publisher.flush(0.01)
    assert perf_counter() - started < 8
    outlet.may_answer.set()
    publisher.flush(5)
    assert len(outlet.all_sent) == 500


def test_it_holds_no_more_than_it_may(publisher: Publisher, outlet: Outlet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CAPACITY", 10)
    outlet.may_answer.clear()
    publisher.offer(hints(1))
    assert outlet.asked.wait(5)
    before, offered = dropped(), hints(25)
    publisher.offer(offered)
    assert dropped() - before == 15
    outlet.may_answer.set()
    publisher.flush(5)
    assert outlet.all_sent[1:] == offered[:10]


def test_what_fails_is_dropped_then_the_broker_rests_and_then_it_is_tried_again(
    publisher: Publisher, outlet: Outlet, clock: Clock
) -> None:
    before = dropped()
    outlet.away = True
    outlet.may_answer.clear()
    publisher.offer(hints(1))
    assert outlet.asked.wait(5)
    publisher.offer(hints(3))
    assert publisher.healthy
    outlet.may_answer.set()
    publisher.flush(5)
    assert dropped() - before == 4
    assert not publisher.healthy

    publisher.offer(hints(2))  # while it rests nothing is even tried
    assert dropped() - before == 6
    outlet.away = False
    clock.advance(module.REST_AFTER_FAILURE)
    assert publisher.healthy
    offered = hints(2)
    publisher.offer(offered)
    publisher.flush(5)
    assert outlet.all_sent == offered


def test_closing_sends_what_waits_and_ends_the_thread(publisher: Publisher, outlet: Outlet) -> None:
    offered = hints(3)
    publisher.offer(offered)
    publisher.close()
    assert outlet.all_sent == offered
    wait_until(lambda: outlet.closed, 5, "the outlet is closed with its publisher")


def test_a_closed_publisher_opens_again(publisher: Publisher, outlet: Outlet) -> None:
    publisher.offer(hints(1))
    publisher.close()
    assert publisher._thread is not None
    publisher._thread.join(5)
    publisher.offer(hints(1))
    publisher.flush(5)
    assert len(outlet.all_sent) == 2


def test_threads_may_offer_at_once(publisher: Publisher, outlet: Outlet) -> None:
    threads = [threading.Thread(target=lambda: [publisher.offer(hints(1)) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    publisher.flush(5)
    assert len({hint.job_id for hint in outlet.all_sent}) == 400


def test_it_says_whether_all_has_left(publisher: Publisher, outlet: Outlet) -> None:
    outlet.may_answer.clear()
    publisher.offer([Hint(uuid4(), "test.echo", "default", 1)])
    assert not publisher.flush(0.01)
    outlet.may_answer.set()
    assert publisher.flush(5)
