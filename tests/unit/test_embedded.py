"""The scheduler inside a worker: its thread goes on until it is told to stop, and what hangs in it ends the worker."""

import threading

import pytest

from scheduler.embedded import Embedded
from scheduler.rounds import Chore
from tests.servers import wait_until

LONG = 60.0


def test_a_chore_that_fails_is_done_again_and_nothing_begins_after_a_stop() -> None:
    begun: list[threading.Thread] = []

    def fail() -> None:
        begun.append(threading.current_thread())
        raise OSError("the database is away")

    inside = Embedded([Chore("fail", 0.01, fail)], LONG, lambda _: pytest.fail("it does not hang"))
    inside.start()
    wait_until(lambda: len(begun) >= 3, 5, "three rounds")
    inside.stop()
    wait_until(lambda: not begun[0].is_alive(), 5, "the thread to end")


def test_a_chore_that_hangs_has_the_worker_leave() -> None:
    gone, end = threading.Event(), threading.Event()
    inside = Embedded([Chore("hang", 0.01, lambda: end.wait(LONG) and None)], 0.05, lambda _: gone.set())
    inside.start()
    assert gone.wait(5)
    inside.stop()
    end.set()


def test_one_that_was_stopped_is_not_taken_for_one_that_hangs() -> None:
    gone = threading.Event()
    inside = Embedded([Chore("nothing", 0.01, lambda: None)], 0.05, lambda _: gone.set())
    inside.start()
    inside.stop()
    assert not gone.wait(0.3), "a worker that drains for long would be ended in the middle of it"
