"""The broker is full: hints are few, disposable, and found again; a worker that starts in the middle of it comes up."""

import time
from collections.abc import Callable

import pytest
import redis
from sqlalchemy.orm import Session

from jobs.states import State
from tests import make
from tests.chaos.conftest import Record
from tests.chaos.forms import forms
from tests.laboratory import Lab
from tests.servers import Valkey, wait_until

WINDOW = 500  # the shipped hint_window
HINT = 1024  # bytes that a hint may take of the broker's memory


pytestmark = pytest.mark.timeout(600)


@forms("jobs", short=(800,), long=(4000,))
def test_a_full_broker_loses_nothing_and_a_worker_that_starts_in_it_comes_up(
    laboratory: Callable[..., Lab], broker: Valkey, jobs: int, record: Record
) -> None:
    lab = laboratory(door_patience="10s").start()
    lab.wait_for(lab.submit(), State.SUCCEEDED)
    with redis.Redis.from_url(broker.url) as client:
        _fill(client)
        lab.workers[0].kill()
        _submit(lab, jobs)
        lab.workers[0].start()
        wait_until(lambda: lab.workers[0].log.read_text().count(" ready.") == 2, 30, "the second worker to be up")
        worker, stuck = lab.workers[0].pid, lab.states()[State.SUCCEEDED]
        assert lab.client.post("/v1/jobs", json={"task": "probe.run", "payload": {}}).status_code == 202
        client.config_set("maxmemory", 0)
        freed = time.monotonic()
        wait_until(lambda: lab.states()[State.SUCCEEDED] > stuck, 15, "the first job to be done")
        resumed = time.monotonic() - freed
        assert lab.wait_settled(200) == {State.SUCCEEDED: jobs + 2}
    assert lab.workers[0].pid == worker
    record(6, "broker full, noeviction; worker restarted in it", "a new worker cannot start", f"0 of {jobs} lost", resumed)


@forms("jobs", short=(800,), long=(4000,), long_on=("sqlite",))
def test_a_broker_that_evicts_loses_nothing(
    laboratory: Callable[..., Lab], broker: Valkey, jobs: int, record: Record
) -> None:
    lab = laboratory(door_patience="10s").start()
    lab.wait_for(lab.submit(), State.SUCCEEDED)
    with redis.Redis.from_url(broker.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        lab.workers[0].kill()
        _submit(lab, jobs)
        wait_until(lambda: lab.states()[State.QUEUED] == WINDOW, 30, "the window to be full")
        _fill(client)
        wait_until(lambda: client.info("stats")["evicted_keys"] > 0, 10, "hints to be evicted")
        client.delete("ballast")
        lab.workers[0].start()
        started = time.monotonic()
        assert lab.wait_settled(200) == {State.SUCCEEDED: jobs + 1}
    record(6, "broker full, allkeys-lru", "3,046 of 4,000 lost, in silence", f"0 of {jobs} lost", time.monotonic() - started)


@forms("jobs", short=(800,), long=(4000,), long_on=("sqlite",))
def test_the_broker_holds_a_window_of_hints_however_many_jobs_wait(
    laboratory: Callable[..., Lab], broker: Valkey, jobs: int
) -> None:
    lab = laboratory(door_patience="10s").start()
    lab.wait_for(lab.submit(), State.SUCCEEDED)
    lab.workers[0].kill()
    with redis.Redis.from_url(broker.url) as client:
        _submit(lab, jobs)
        wait_until(lambda: lab.states()[State.QUEUED] == WINDOW, 30, "the window to be full")
        wait_until(lambda: client.llen("default\x06\x166") >= WINDOW, 10, "the hints to have arrived")
        held = sum(client.memory_usage(key, samples=0) or 0 for key in client.scan_iter())
        print(f"{held / WINDOW:.0f} bytes a hint")
        assert held <= WINDOW * HINT
    lab.workers[0].start()
    assert lab.wait_settled(200) == {State.SUCCEEDED: jobs + 1}


def _fill(client: redis.Redis) -> None:
    """Fill the broker to its limit with what is not ours, in pieces: the last ones do not fit, or push others out."""
    client.config_set("maxmemory", client.info("memory")["used_memory"] + 1_000_000)
    for _ in range(200):
        try:
            client.rpush("ballast", b"x" * 10_000)
        except redis.exceptions.OutOfMemoryError:
            break


def _submit(lab: Lab, count: int) -> None:
    with Session(lab.engine) as session, session.begin():
        for _ in range(count):
            make.job(session, task="probe.run", payload={})
