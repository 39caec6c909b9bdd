"""Watching and stopping, with services that only pretend."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.complaint import Complaint
from cli.up.service import Backoff
from cli.up.supervisor import Stopped, Supervisor


class Pretended:
    """A service that ends when asked, or only when killed."""

    def __init__(self, name: str, diary: list[str], *, stubborn: bool = False) -> None:
        self.name, self.diary, self.stubborn = name, diary, stubborn
        self.grace, self.due_at, self.pid, self.log = 0.2, None, 1, Path("logs/x.log")
        self.backoff = Backoff()
        self.gone = False

    def start(self, now: float) -> None:
        self.diary.append(f"start {self.name}")

    def tend(self, now: float) -> str | None:
        return None

    def ask_to_stop(self) -> None:
        self.diary.append(f"stop {self.name}")
        self.gone = not self.stubborn

    def has_ended(self) -> bool:
        return self.gone

    def kill(self) -> None:
        self.diary.append(f"kill {self.name}")
        self.gone = True

    def last_words(self) -> list[str]:
        return ["alas"]


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    made = Supervisor(lambda _: None)
    yield made
    made.close()


def _pretend(supervisor: Supervisor, **stubborn: bool) -> tuple[list[Any], list[str]]:
    diary: list[str] = []
    made: list[Any] = [Pretended(name, diary, stubborn=is_stubborn) for name, is_stubborn in stubborn.items()]
    supervisor.start(*made)
    diary.clear()
    return made, diary


def test_stages_stop_one_after_the_other(supervisor: Supervisor) -> None:
    (door, hand, ground), diary = _pretend(supervisor, door=False, hand=False, ground=False)
    supervisor.drain([[door], [hand], [ground]])
    assert diary == ["stop door", "stop hand", "stop ground"]


def test_who_does_not_stop_in_time_is_killed(supervisor: Supervisor) -> None:
    (door, hand), diary = _pretend(supervisor, door=True, hand=False)
    supervisor.drain([[door], [hand]])
    assert diary == ["stop door", "kill door", "stop hand"]


def test_a_second_signal_kills_at_once(supervisor: Supervisor) -> None:
    (door,), diary = _pretend(supervisor, door=True)
    door.grace = 60.0
    door.ask_to_stop = lambda: setattr(supervisor, "stops", supervisor.stops + 1)
    start = time.monotonic()
    supervisor.drain([[door]])
    assert diary == ["kill door"]
    assert time.monotonic() - start < 5


def test_waiting_ends_when_told_to_stop(supervisor: Supervisor) -> None:
    supervisor.stops = 1
    with pytest.raises(Stopped):
        supervisor.wait_until(lambda: False, 5, "It")


def test_waiting_gives_up_on_what_never_comes(supervisor: Supervisor) -> None:
    _pretend(supervisor, door=False)
    with pytest.raises(Complaint, match=r"It is not ready after 0\.1 s\. The logs are in logs"):
        supervisor.wait_until(lambda: False, 0.1, "It")


def test_a_service_that_keeps_dying_ends_the_wait_with_its_last_words(supervisor: Supervisor) -> None:
    (door,), _ = _pretend(supervisor, door=False)
    door.backoff.deaths = 3
    with pytest.raises(Complaint, match="door does not start") as caught:
        supervisor.wait_until(lambda: False, 5, "It")
    assert caught.value.details == ("alas",)


def test_a_death_is_said_and_a_new_pid_is_told(supervisor: Supervisor) -> None:
    (door,), _ = _pretend(supervisor, door=False)
    said: list[str] = []
    changes: list[int | None] = []
    supervisor._say = said.append
    supervisor.on_change = lambda: changes.append(door.pid)
    lives: list[Callable[[], str | None]] = [
        lambda: setattr(door, "pid", None) or "door ended",
        lambda: setattr(door, "pid", 2),
    ]
    door.tend = lambda _: lives.pop(0)() if lives else None
    supervisor._tend()
    supervisor._tend()
    supervisor._tend()
    assert said == ["door ended"]
    assert changes == [2]
