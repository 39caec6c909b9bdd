"""Threads that call each other: nothing waits while a thread is free, whatever the work does."""

import threading
from collections.abc import Iterator

import pytest

from workers.pool import Threads


@pytest.fixture
def threads() -> Iterator[Threads]:
    """Four."""
    made = Threads(4)
    yield made
    made.end()


def test_all_that_comes_in_is_done(threads: Threads) -> None:
    done, last = list[int](), threading.Semaphore(0)

    def work(number: int) -> None:
        done.append(number)
        last.release()

    for number in range(5000):
        threads.do((work, (number,)))
    assert all(last.acquire(timeout=20) for _ in range(5000))
    assert sorted(done) == list(range(5000))


def test_work_that_waits_has_a_thread_each(threads: Threads) -> None:
    together = threading.Barrier(5)
    for _ in range(4):
        threads.do((together.wait, (20,)))
    together.wait(20)  # broken, were fewer than four of them at it at once


def test_what_comes_in_while_others_wait_is_done(threads: Threads) -> None:
    go, done = threading.Event(), threading.Event()
    for _ in range(3):
        threads.do((go.wait, (20,)))
    threads.do((done.set, ()))
    assert done.wait(20)
    go.set()


def test_more_than_there_are_threads_waits_for_one(threads: Threads) -> None:
    go, fifth = threading.Event(), threading.Event()
    begun = threading.Semaphore(0)

    def work() -> None:
        begun.release()
        go.wait(20)

    for _ in range(4):
        threads.do((work, ()))
    threads.do((fifth.set, ()))
    assert all(begun.acquire(timeout=20) for _ in range(4))
    assert not fifth.is_set()
    go.set()
    assert fifth.wait(20)


def test_work_that_raises_costs_no_thread(threads: Threads) -> None:
    def fail() -> None:
        raise RuntimeError("a bug")

    for _ in range(20):
        threads.do((fail, ()))
    together = threading.Barrier(5)
    for _ in range(4):
        threads.do((together.wait, (20,)))
    together.wait(20)


def test_at_the_end_all_is_done_that_was_not_withdrawn() -> None:
    threads, go, begun = Threads(1), threading.Event(), threading.Event()
    ran: list[str] = []

    def work() -> None:
        begun.set()
        go.wait(20)
        ran.append("the first")

    threads.do((work, ()))
    assert begun.wait(20)
    second, third = (ran.append, ("the second",)), (ran.append, ("the third",))
    threads.do(second)
    assert threads.withdraw(60) == []
    assert threads.withdraw(0) == [second]
    threads.do(third)
    go.set()
    threads.end()
    assert ran == ["the first", "the third"]
