"""Rubbish in the broker is no outage: hints are believed in nothing but their job's id, and queues are disposable."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobs.model import Attempt
from jobs.states import State
from tests import make, rubbish
from tests.laboratory import Lab
from tests.servers import Valkey, wait_until

AMONG = 100  # good jobs around each piece of rubbish
OUTAGE = 15  # seconds that an outage may take at most
NORMAL = "default\x06\x166"  # the list of the queue's normal priority
FIRST = "default"  # and of its highest

_kinds = list(rubbish.KINDS)
BATCHES = [pytest.param(_kinds[n : n + 10], id=f"kinds {n + 1} and on") for n in range(0, len(_kinds), 10)]
SINGLY = [pytest.param([kind], id=kind, marks=pytest.mark.long) for kind in _kinds]


@pytest.fixture(scope="module", params=["threads", "prefork"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A laboratory for all kinds in turn, with a worker of either pool."""
    folder: Path = tmp_path_factory.mktemp("rubbish")
    broker = Valkey()
    laboratory = Lab(f"sqlite:///{folder / 'treadle.db'}", broker, folder)
    laboratory.api.start()
    laboratory.add_scheduler()
    laboratory.add_worker(request.param, 4, queues="default")
    laboratory.wait_for(laboratory.submit(), State.SUCCEEDED)
    yield laboratory
    laboratory.close()
    broker.remove()


@pytest.fixture
def lists(lab: Lab) -> Iterator[redis.Redis]:
    """The broker, as someone sees it who should not have its password."""
    with redis.Redis.from_url(lab.broker.url) as client:
        yield client


@pytest.mark.parametrize("kinds", [*BATCHES, *SINGLY])
def test_rubbish_among_the_hints_ends_no_worker_and_does_nothing(lab: Lab, lists: redis.Redis, kinds: list[str]) -> None:
    worker, before = lab.workers[0].pid, _attempts(lab)
    pieces = [rubbish.KINDS[kind] for kind in kinds]
    lists.lpush(NORMAL, *pieces)
    with Session(lab.engine) as session, session.begin():
        ids = {make.job(session, task="probe.run", payload={}).id for _ in range(AMONG)}
    wait_until(lambda: lab.states()[State.SUCCEEDED] > before, OUTAGE, "the first jobs to be done")
    lists.lpush(NORMAL, *pieces)
    lists.rpush(FIRST, *pieces)
    _wait_done(lab)
    wait_until(lambda: not lists.llen(NORMAL) and not lists.llen(FIRST), OUTAGE, "the rubbish to be swept away")
    assert len(ids) == AMONG
    assert _attempts(lab) == before + AMONG
    assert lab.workers[0].pid == worker
    assert lab.workers[0].runs


def _wait_done(lab: Lab) -> None:
    wait_until(lambda: set(lab.states()) == {State.SUCCEEDED}, OUTAGE, f"all jobs to be done: {lab.states()}")


def _attempts(lab: Lab) -> int:
    with Session(lab.engine) as session:
        return session.scalars(sa.select(sa.func.count()).select_from(Attempt)).one()
