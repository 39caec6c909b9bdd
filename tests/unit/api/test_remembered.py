"""What the door remembers of keys: for a second, and who asks often never waits for the ledger."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from api import auth
from api.auth import REMEMBER, Keys
from api.ledger import Ledger, LedgerBusy
from jobs.keys import Caller
from tests.clock import Clock

KEY = "tr_0123456789ab_secret"
ALICE = Caller("0123456789ab", "default", "write")


class Slow:
    """A ledger whose every answer takes a moment."""

    def __init__(self, *answers: Any) -> None:
        self.asked, self._answers = 0, [*answers]

    async def read(self, ask: Callable[[Any], Any]) -> Any:
        del ask
        self.asked += 1
        for _ in range(3):
            await asyncio.sleep(0)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "MOMENT", 0)


def keys(*answers: Any) -> tuple[Keys, Slow]:
    ledger = Slow(*answers)
    return Keys(cast("Ledger", ledger)), ledger


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_key_is_asked_for_once_while_its_answer_is_fresh(clock: Clock) -> None:
    async def go() -> None:
        known, ledger = keys(ALICE)
        assert await known.caller(KEY) is ALICE
        clock.advance(REMEMBER * 0.4)
        assert await known.caller(KEY) is ALICE
        await settle()
        assert ledger.asked == 1

    asyncio.run(go())


def test_whoever_asks_often_is_answered_at_once_and_a_revoked_key_ends_all_the_same(clock: Clock) -> None:
    async def go() -> None:
        known, ledger = keys(ALICE, None)
        await known.caller(KEY)
        clock.advance(REMEMBER * 0.6)
        assert [await known.caller(KEY) for _ in range(5)] == [ALICE] * 5
        await settle()
        assert ledger.asked == 2, "once, whoever asked meanwhile"
        assert await known.caller(KEY) is None

    asyncio.run(go())


def test_an_answer_that_is_too_old_is_waited_for(clock: Clock) -> None:
    async def go() -> None:
        known, ledger = keys(ALICE, None)
        await known.caller(KEY)
        clock.advance(REMEMBER)
        assert await known.caller(KEY) is None
        assert ledger.asked == 2

    asyncio.run(go())


def test_while_the_ledger_is_away_the_last_answer_holds_for_its_second(clock: Clock) -> None:
    async def go() -> None:
        known, ledger = keys(ALICE, LedgerBusy("away"))
        await known.caller(KEY)
        clock.advance(REMEMBER * 0.9)
        assert await known.caller(KEY) is ALICE
        await settle()
        assert await known.caller(KEY) is ALICE
        await settle()
        assert ledger.asked == 3, "it is asked again as long as it does not answer"
        clock.advance(REMEMBER * 0.1)
        with pytest.raises(LedgerBusy):
            await known.caller(KEY)

    asyncio.run(go())
