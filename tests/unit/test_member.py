"""A worker process and its lease."""

import threading

from tests.clock import Clock
from workers.member import Member


def test_a_worker_without_a_lease_waits_with_the_hints_that_it_took(clock: Clock, configure: object) -> None:
    member = Member("threads", ["default"], 1)
    member._renewed = clock.monotonic() - 60
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(member.await_trust()))
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    member._renewed = clock.monotonic()
    waiting.join(5)
    assert answers == [True]


def test_a_worker_that_stops_or_was_given_up_waits_for_no_lease(configure: object) -> None:
    stopping, given_up = Member("threads", ["default"], 1), Member("threads", ["default"], 1)
    stopping.draining.set()
    given_up.buried.set()
    assert not stopping.await_trust()
    assert not given_up.await_trust()
