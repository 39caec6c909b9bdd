"""The storm: everything is killed at random, the broker too, while jobs come in. None is lost, stuck or doubled."""

import time
from collections import Counter
from collections.abc import Callable

import pytest
import redis

from jobs.states import State
from tests.chaos.conftest import Record
from tests.chaos.forms import LEDGERS, forms
from tests.laboratory import ChildOf, Lab, Monkey
from tests.servers import Valkey


class Memory:
    """What the broker holds: to kill it is FLUSHALL."""

    name = "memory"

    def __init__(self, broker: Valkey) -> None:
        self._broker = broker

    def kill(self) -> None:
        """Forget everything."""
        with redis.Redis.from_url(self._broker.url) as client:
            client.flushall()

    def start(self) -> None:
        """It comes back by itself."""


@pytest.mark.timeout(3600)
@forms("jobs, kills, every", short=(250, 9, 0.5), long=(1500, 40, 0.5), endurance=(10_000, 250, 0.5), short_on=LEDGERS)
def test_the_storm(laboratory: Callable[..., Lab], record: Record, jobs: int, kills: int, every: float) -> None:
    lab = laboratory().start()
    lab.add_worker()
    pool = lab.add_worker("prefork", 2)
    lab.add_scheduler()
    victims = [
        lab.api,
        *lab.workers,
        *lab.schedulers,
        ChildOf(pool),
        ChildOf(pool),
        lab.broker,
        lab.broker,
        Memory(lab.broker),
    ]
    monkey = Monkey(victims, every)
    accepted = monkey.torment(lambda: lab.submit_calls(jobs, "/effect?ms=50", threads=4), kills)
    recovered = -monkey.last
    states = lab.wait_settled(180)
    recovered += time.monotonic()
    calls = lab.third_party.count()
    print(dict(monkey.kills), dict(states), f"{calls} calls, {lab.starts()} starts")
    assert states == {State.SUCCEEDED: jobs}
    assert lab.third_party.effects == set(accepted)
    kinds = _told(monkey.kills)
    ours = f"0 of {jobs} lost, stuck or doubled in {monkey.kills.total()} kills ({kinds}); {calls - jobs} extra calls"
    record(18, "storm: all of it at random", "23 of 6000 lost, 39 doubled by worker kills alone", ours, recovered)


def _told(kills: Counter[str]) -> str:
    kinds: Counter[str] = Counter()
    for name, count in kills.items():
        kinds[name.rstrip("0123456789")] += count
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
