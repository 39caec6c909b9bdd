"""A small install: an API and one worker, which is the scheduler as well."""

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from jobs.states import State
from tests.laboratory import Lab, Part
from tests.servers import Valkey, free_port, wait_until


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def lab(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder: Path = tmp_path_factory.mktemp("small")
    broker = Valkey()
    laboratory = Lab(f"sqlite:///{folder / 'treadle.db'}", broker, folder, lease="2s", heartbeat="500ms")
    laboratory.add_worker(beat=True, metrics_port=str(port))
    laboratory.api.start()
    wait_until(lambda: laboratory.client.get("/readyz").json()["workers"] == 1, 30, "the worker to join")
    yield laboratory
    laboratory.close()
    broker.remove()


def test_it_releases_what_is_due_and_shows_the_scheduler_s_figures(lab: Lab, port: int) -> None:
    schedule = {"name": "often", "every": "1s", "task": "probe.run", "payload": {}}
    assert lab.client.post("/v1/schedules", json=schedule).status_code == 201
    lab.wait_for(lab.submit(delay="1s"), State.SUCCEEDED)
    wait_until(lambda: len(lab.ticks()) >= 2, 20, "two ticks")
    assert lab.client.delete("/v1/schedules/often").is_success
    shown = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    assert 'treadle_schedule_ticks_total{outcome="made"}' in shown


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="objects have other sizes")
def test_it_takes_no_more_memory_than_it_should(lab: Lab) -> None:
    """Its own, in MB: what it shares with the rest of the machine depends on that. 178 when this was written."""
    assert sum(_own(part) for part in (lab.api, *lab.workers)) < 185


def _own(part: Part) -> float:
    found = re.search(r"^Anonymous: +([0-9]+) kB", Path(f"/proc/{part.pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024 / 1e6


def test_one_that_is_killed_takes_back_its_own_jobs_when_it_is_started_again(lab: Lab) -> None:
    (worker,) = lab.workers
    held, delayed = lab.submit(payload={"do": "sleep", "seconds": 2}), lab.submit(delay="1s")
    lab.wait_for(held, State.RUNNING)
    worker.kill()
    worker.start()
    lab.wait_for(delayed, State.SUCCEEDED)
    assert len(lab.wait_for(held, State.SUCCEEDED)["attempts"]) == 2


def test_sigterm_lets_the_job_end_and_nothing_holds_the_process_up(lab: Lab) -> None:
    (worker,) = lab.workers
    job = lab.submit(payload={"do": "sleep", "seconds": 1})
    lab.wait_for(job, State.RUNNING)
    process = worker.process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert lab.job(job)["state"] == State.SUCCEEDED
    worker.kill()
    worker.start()


def test_a_worker_of_processes_says_that_it_cannot_be_one(lab: Lab) -> None:
    part = Part("prefork", ["workers", "--beat"], lab.environment | {"TREADLE_WORKER_POOL": "prefork"})
    lab.parts.append(part)
    part.start()
    process = part.process
    assert process is not None
    assert process.wait(30) == 1
    assert "treadle beat" in part.log.read_text()
