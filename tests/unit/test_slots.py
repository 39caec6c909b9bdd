"""When a worker reads more hints: never more than it has slots for, and many at once."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from runtime import clock
from workers.slots import LOOK, Slots


class Loop:
    """Celery's, as far as slots meet it."""

    def __init__(self) -> None:
        self.woken = 0
        self.timers: list[Callable[[], object]] = []

    def wake(self) -> None:
        self.woken += 1

    def call_later(self, _: float, do: Callable[[], object]) -> None:
        self.timers.append(do)


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, which stands still."""
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def slots(loop: Loop, time: list[float]) -> Slots:
    """Eight."""
    pool: Any = SimpleNamespace(limit=8, wake=loop.wake)
    return Slots(pool, loop)


def fill(slots: Slots, first: int = 0) -> None:
    for number in range(first, first + slots.room()):
        slots.take(number)


def test_each_hint_takes_a_slot(slots: Slots, loop: Loop) -> None:
    assert slots.room() == 8
    slots.take("one")
    assert (slots.room(), slots.free()) == (7, 7)
    slots.leave("one")
    slots.leave("one")
    assert (slots.room(), loop.woken) == (8, 0), "nobody waits for it"


def test_once_none_was_free_it_waits_for_half_of_them(slots: Slots, loop: Loop) -> None:
    fill(slots)
    assert slots.room() == 0
    slots.leave(0)
    assert (loop.woken, slots.room(), len(loop.timers)) == (1, 0, 1), "the first wakes the loop, which sets a timer"
    slots.leave(1)
    slots.leave(2)
    assert (loop.woken, slots.room(), slots.free()) == (1, 0, 3)
    slots.leave(3)
    assert (loop.woken, slots.room()) == (2, 4)
    slots.leave(4)
    assert loop.woken == 2, "it reads already"


def test_it_waits_for_a_moment_at_most(slots: Slots, loop: Loop) -> None:
    fill(slots)
    assert slots.room() == 0
    slots.leave(0)
    assert slots.room() == 0
    loop.timers.pop()()
    assert slots.room() == 1


def test_a_timer_of_before_is_not_doubled(slots: Slots, loop: Loop) -> None:
    fill(slots)
    assert slots.room() == 0
    for number in range(4):
        slots.leave(number)
        assert slots.room() in {0, 4}
    fill(slots, first=10)
    assert slots.room() == 0
    slots.leave(10)
    assert (slots.room(), len(loop.timers)) == (0, 1)


def test_a_slot_that_is_freed_while_the_loop_finds_none_is_not_forgotten(slots: Slots, loop: Loop) -> None:
    fill(slots)

    def none_at_first() -> int:
        del slots._room  # type: ignore[method-assign]
        slots.leave(0)  # which sees that the loop still reads, and so does not wake it
        return 0

    slots._room = none_at_first  # type: ignore[method-assign]
    assert slots.room() == 0
    assert (loop.woken, len(loop.timers)) == (0, 1), "but it comes back by itself"


def test_where_work_is_short_as_many_more_are_read_as_become_free_meanwhile(slots: Slots, time: list[float]) -> None:
    for number in range(15):
        slots.take(number)
        slots.leave(number)
    time[0] += LOOK + 1e-6
    assert slots.room() == 8 + 5, "fifteen left in three times the time for which it reads ahead"
    fill(slots, first=20)
    assert (slots.free(), slots.room()) == (0, 0)
    slots.leave(20)
    assert (slots.free(), slots._room()) == (0, 1), "the next has its slot already"


@pytest.mark.parametrize("wait", [1.01 * LOOK, 30 * LOOK])
def test_behind_longer_work_nothing_is_read_ahead(slots: Slots, time: list[float], wait: float) -> None:
    fill(slots)
    time[0] += wait
    for number in range(8):
        slots.leave(number)
    assert slots.room() == 8, "all at once, but once"


def test_never_are_more_than_twice_as_many_read_as_there_are_slots(slots: Slots, time: list[float]) -> None:
    for number in range(100):
        slots.take(number)
        slots.leave(number)
    time[0] += LOOK + 1e-6
    assert slots.room() == 16
