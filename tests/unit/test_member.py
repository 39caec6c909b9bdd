"""A worker process and its lease."""

import threading

import pytest

from tests.clock import Clock
from workers import member as module
from workers.member import Member, enlist, here


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


def test_a_hint_that_comes_while_the_worker_joins_waits_for_it(monkeypatch: pytest.MonkeyPatch, configure: object) -> None:
    monkeypatch.setattr(module._Here, "member", None)
    monkeypatch.setattr(module._Here, "joined", threading.Event())
    joining = threading.Event()
    monkeypatch.setattr(Member, "join", lambda _: joining.wait(5))
    with pytest.raises(RuntimeError, match="not joined"):
        here(0.01)
    found: list[Member] = []
    hint = threading.Thread(target=lambda: found.append(here()))
    hint.start()
    threading.Timer(0.2, joining.set).start()
    member = enlist(Member("threads", ["default"], 1))
    hint.join(5)
    assert found == [member]
