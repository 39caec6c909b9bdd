"""Rubbish in the broker is no outage: hints are believed in nothing but their job's id, and queues are disposable."""

import socket
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from uuid import uuid4

import pytest
import redis
import sqlalchemy as sa
from celery import Celery
from sqlalchemy.orm import Session

from jobs.model import Attempt
from jobs.states import State
from tests import make, rubbish
from tests.chaos.conftest import Record
from tests.laboratory import Lab, Part
from tests.servers import Valkey, wait_until

AMONG = 100  # good jobs around each piece of rubbish
OUTAGE = 15  # seconds that an outage may take at most
NORMAL = "default\x06\x166"  # the list of the queue's normal priority
FIRST = "default"  # and of its highest

_kinds = list(rubbish.KINDS)
BATCHES = [pytest.param(_kinds[n : n + 10], id=f"kinds {n + 1} and on") for n in range(0, len(_kinds), 10)]
SINGLY = [pytest.param([kind], id=kind, marks=pytest.mark.endurance) for kind in _kinds]


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
def test_rubbish_among_the_hints_ends_no_worker_and_does_nothing(
    lab: Lab, lists: redis.Redis, kinds: list[str], record: Record
) -> None:
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
    assert not lists.exists("unacked", "unacked_index"), "nothing is kept that could come back"
    record(
        15,
        f"{len(rubbish.KINDS)} kinds of rubbish, each among {AMONG} jobs, both pools",
        "of 19 kinds 5 end the worker, 3 more at every restart",
        "all jobs done, no worker ended, nothing run by rubbish",
        0.0,
    )


def test_hints_for_jobs_that_are_not_to_run_do_nothing(lab: Lab, lists: redis.Redis) -> None:
    done = lab.submit()
    lab.wait_for(done, State.SUCCEEDED)
    cancelled = lab.submit(delay="1h")
    lab.client.post(f"/v1/jobs/{cancelled}/cancel")
    later = lab.submit(delay="1h")
    before, refused = _attempts(lab), [done, cancelled, later, uuid4()]
    lists.rpush(FIRST, *(rubbish.message(headers={"id": str(job_id)}) for job_id in refused))
    lab.wait_for(lab.submit(), State.SUCCEEDED)
    assert _attempts(lab) == before + 1
    assert [lab.job(job_id)["state"] for job_id in refused[:3]] == ["succeeded", "cancelled", "scheduled"]
    lab.client.post(f"/v1/jobs/{later}/cancel")


def test_a_celery_message_from_outside_runs_nothing(lab: Lab) -> None:
    """A user's own task runs as a job, which the ledger knows; its bare message is a hint for a job that is not there."""
    before = _attempts(lab)
    with Celery(broker=lab.broker.url) as outsider:
        outsider.send_task("tests.probe.plain", args=[1, 2], queue="default")
    lab.wait_for(lab.submit(), State.SUCCEEDED)
    assert _attempts(lab) == before + 1


@pytest.mark.parametrize("kind", rubbish.BROADCASTS)
def test_rubbish_as_remote_control_or_as_an_event_ends_no_worker(lab: Lab, lists: redis.Redis, kind: str) -> None:
    worker = lab.workers[0].pid
    for channel in ("/0.celery.pidbox", "/0.celeryev/worker.heartbeat"):
        lists.publish(channel, rubbish.BROADCASTS[kind])
    lab.wait_for(lab.submit(), State.SUCCEEDED, seconds=OUTAGE)
    assert lab.workers[0].pid == worker
    assert lab.workers[0].runs


def _wait_done(lab: Lab) -> None:
    wait_until(lambda: set(lab.states()) == {State.SUCCEEDED}, OUTAGE, f"all jobs to be done: {lab.states()}")


def _attempts(lab: Lab) -> int:
    with Session(lab.engine) as session:
        return session.scalars(sa.select(sa.func.count()).select_from(Attempt)).one()


def test_rubbish_ends_no_worker_that_listens_to_the_others(lab: Lab, lists: redis.Redis) -> None:
    """Celery's own command line starts a worker that hears the events of its kind; ours leaves that out."""
    command = ["celery", "-A", "workers.app", "worker", "--hostname", "listener@%h", "--concurrency", "2"]
    listener = Part("listener", command, lab.environment)
    lab.parts.append(listener)
    listener.start()
    wait_until(lambda: lists.pubsub_numpat() > 0 and lists.publish("/0.celeryev/worker.x", b"{}") > 0, 30, "it to listen")
    for channel, piece in product(("/0.celery.pidbox", "/0.celeryev/worker.heartbeat"), rubbish.BROADCASTS.values()):
        lists.publish(channel, piece)
    outsider = Celery(broker=lab.broker.url, set_as_current=False)
    name = f"listener@{socket.gethostname()}"
    wait_until(lambda: outsider.control.ping([name], timeout=1), 30, "it to answer, behind all the rubbish")
    assert listener.log.read_text().count(" ready.") == 1, "it never lost its way"
    listener.stop()


# The second line of defence


@pytest.fixture
def unfiltered(tmp_path: Path) -> Iterator[Lab]:
    """A laboratory whose worker takes every message at its word."""
    broker = Valkey()
    laboratory = Lab(f"sqlite:///{tmp_path / 'treadle.db'}", broker, tmp_path)
    laboratory.api.start()
    laboratory.add_scheduler()
    laboratory.add_worker("threads", 4, queues="default", task_modules="tests.probe,tests.unfiltered")
    laboratory.wait_for(laboratory.submit(), State.SUCCEEDED)
    yield laboratory
    laboratory.close()
    broker.remove()


def test_a_worker_that_rubbish_ends_takes_the_rest_of_it_along(unfiltered: Lab) -> None:
    with redis.Redis.from_url(unfiltered.broker.url) as lists:
        lists.rpush(FIRST, *[b"rubbish"] * 1000)
    deaths = _jobs_done_by_a_supervised_worker(unfiltered)
    assert deaths == 1


@pytest.mark.parametrize("wrong", ["a string", "a hash"])
def test_a_queue_s_key_of_another_type_heals(unfiltered: Lab, wrong: str) -> None:
    with redis.Redis.from_url(unfiltered.broker.url) as client:
        if wrong == "a string":
            client.set(NORMAL, "rubbish")
        else:
            client.hset(NORMAL, "rub", "bish")
    assert _jobs_done_by_a_supervised_worker(unfiltered) == 1


def _jobs_done_by_a_supervised_worker(lab: Lab) -> int:
    """Have jobs done, starting the worker again when it dies; returns how often it did."""
    worker, deaths = lab.workers[0], 0

    def done() -> bool:
        nonlocal deaths
        if not worker.runs:
            deaths += 1
            worker.start()
        return set(lab.states()) == {State.SUCCEEDED}

    with Session(lab.engine) as session, session.begin():
        for _ in range(AMONG):
            make.job(session, task="probe.run", payload={})
    wait_until(done, 60, f"the jobs to be done: {lab.states()}")
    return deaths
