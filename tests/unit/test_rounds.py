"""The scheduler's round: chores that are nearly due are done in one waking, and none is late for it."""

from itertools import pairwise

from scheduler.rounds import Chore, Round
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
