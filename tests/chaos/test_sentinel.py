"""Valkey under sentinels, and its primary killed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
import redis

from jobs.states import State
from tests.brokers import Sentinels
from tests.chaos.conftest import Record
from tests.laboratory import Lab
from tests.servers import wait_until

JOBS = 240


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    """These are about the broker; the ledger's own tests run on both databases."""
    return f"sqlite:///{tmp_path / 'treadle.db'}"


@pytest.fixture
def broker() -> Iterator[Sentinels]:
    """Five servers of the test's own."""
    servers = Sentinels()
    yield servers
    servers.remove()


def test_no_job_is_lost_when_sentinels_put_the_replica_in_the_place_of_a_killed_primary(
    laboratory: Callable[..., Lab], broker: Sentinels, record: Record
) -> None:
    lab = laboratory(sentinel_primary=broker.name, sentinel_password=broker.own_password).start()
    with ThreadPoolExecutor(1) as pool:
        submitting = pool.submit(lab.submit_calls, JOBS, "/effect?ms=100", 4)
        wait_until(lambda: lab.third_party.count() >= JOBS / 6, 30, "work to be under way")
        broker.primary.kill()
        submitting.result()
    assert lab.wait_settled(60) == {State.SUCCEEDED: JOBS}
    assert broker.address() == broker.replica.port
    silence = _longest_silence(lab)
    assert silence <= 30
    broker.primary.start()
    with redis.Redis(port=broker.primary.port, password=broker.password) as client:
        wait_until(lambda: client.info("replication")["role"] == "slave", 30, "the old primary to follow the new one")
    lab.wait_for(lab.submit(), State.SUCCEEDED)
    record(5, "the primary killed under three sentinels", "–", f"{JOBS} of {JOBS} done", silence)


def _longest_silence(lab: Lab) -> float:
    """Seconds within which no call came."""
    began = sorted(began for calls in lab.third_party.calls.values() for began, _ in calls)
    return max(later - earlier for earlier, later in pairwise(began))
