"""A scheduler that hangs ends itself, so that its supervisor can start another."""

from collections.abc import Callable

import pytest

from jobs.states import State
from tests.laboratory import Lab, Part
from tests.servers import wait_until


@pytest.fixture(params=["sqlite"])
def ledger_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """It is about a process."""
    return f"sqlite:///{tmp_path_factory.mktemp('hang') / 'treadle.db'}"


def test_a_scheduler_that_hangs_ends_itself_and_the_next_one_goes_on(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory()
    lab.api.start()
    lab.add_worker()
    hung = Part("hung", ["tests.hung_scheduler"], lab.environment)
    lab.parts.append(hung)
    hung.start()
    process = hung.process
    delayed = lab.submit(delay="1s")
    wait_until(lambda: process.poll() is not None, 30, "the hung scheduler to end itself")
    assert process.returncode == 75
    assert lab.job(delayed)["state"] == "scheduled", "nobody else was there to release it"
    lab.parts.remove(hung)
    lab.add_scheduler()
    lab.wait_for(delayed, State.SUCCEEDED)


def test_a_worker_whose_scheduler_hangs_lets_its_jobs_end_and_leaves(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory(drain_grace="20s")
    lab.api.start()
    hung = Part("hung", ["tests.hung_worker"], lab.environment)
    lab.parts.append(hung)
    hung.start()
    process = hung.process
    running = lab.submit(payload={"do": "sleep", "seconds": 5})
    lab.wait_for(running, State.RUNNING)
    wait_until(lambda: process.poll() is not None, 30, "the worker to leave")
    assert process.returncode == 0
    job = lab.job(running)
    assert (job["state"], job["attempt"]) == ("succeeded", 1), "it is innocent of what hung beside it"
