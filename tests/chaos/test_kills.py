"""kill -9, and what is left of 2,000 jobs: all of them."""

import threading
from collections.abc import Callable

import pytest
import redis

from jobs.states import State
from tests.laboratory import Lab, Monkey


@pytest.mark.timeout(420)
def test_no_job_is_lost_or_doubled_while_every_part_is_killed_and_the_broker_flushed(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory().start()
    monkey = Monkey([lab.api, lab.workers[0], lab.schedulers[0]], every=2)
    flush = threading.Timer(12, lambda: redis.Redis.from_url(lab.broker.url).flushall())
    flush.start()
    monkey.torment(lambda: lab.submit_calls(2000))
    flush.join()
    states = lab.wait_settled(150)
    print(dict(monkey.kills), dict(states))
    assert states == {State.SUCCEEDED: 2000}
    assert len(lab.third_party.effects) == 2000
    assert sum(monkey.kills.values()) >= 8
