"""The scheduler's round: chores that are nearly due are done in one waking, and none is late for it."""

from datetime import timedelta
from itertools import pairwise

import pytest

from scheduler.rounds import APART, Chore, Round, until
from tests.clock import Clock


def test_chores_that_are_due_about_the_same_time_share_a_waking(clock: Clock) -> None:
    done: list[tuple[str, float]] = []
    begin = clock.monotonic()

    def chore(name: str, period: float) -> Chore:
        def do() -> None:
            done.append((name, clock.monotonic() - begin))
            clock.advance(0.003)  # what it takes; the next one is so much later, and would be alone

        return Chore(name, period, do)

    round_ = Round([chore("often", 0.25), chore("seldom", 0.5), chore("rarely", 2.0)])
    wakings = 0
    while clock.monotonic() - begin < 20:
        clock.advance(round_.go())
        wakings += 1
    assert wakings <= 20 / 0.25 + 1
    for name, period in (("often", 0.25), ("seldom", 0.5), ("rarely", 2.0)):
        times = [at for which, at in done if which == name]
        gaps = [after - before for before, after in pairwise(times)]
        assert period * 0.75 < min(gaps)
        assert max(gaps) <= period + 0.02


def test_a_chore_comes_again_when_something_is_due_and_no_later_than_its_period(clock: Clock) -> None:
    due = clock.now() + timedelta(seconds=0.1)
    round_ = Round([Chore("feed", 0.25, lambda: until(due))])
    assert round_.go() == pytest.approx(0.1)
    clock.advance(0.1)
    assert round_.go() == pytest.approx(APART), "it is late: not without a rest"
    due += timedelta(days=1)
    clock.advance(APART)
    assert round_.go() == pytest.approx(0.25), "something nearer may come in"
    assert until(None) is None
