"""Workers that are stopped, killed, frozen or poisoned."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from celery import Celery

from jobs.states import State
from tests.laboratory import Lab
from tests.servers import wait_until

SLOW = {"do": "sleep", "seconds": 2.5}


@pytest.fixture
def lab(laboratory: Callable[..., Lab]) -> Iterator[Lab]:
    return laboratory().start()


@pytest.fixture(params=["sqlite"])
def ledger_url(tmp_path: Path) -> str:
    """These are about processes; the ledger's own tests run on both databases."""
    return f"sqlite:///{tmp_path / 'treadle.db'}"


def test_a_stopping_worker_lets_jobs_end_and_hands_back_the_rest_with_no_attempt_spent(lab: Lab) -> None:
    short = lab.submit(payload=SLOW)
    long = lab.submit(payload={"do": "yield", "seconds": 10})
    for job_id in (short, long):
        lab.wait_for(job_id, State.RUNNING)
    worker = lab.workers[0]
    worker.stop()
    assert lab.job(short)["state"] == "succeeded"
    handed_back = lab.job(long)
    assert (handed_back["state"], handed_back["attempt"]) in {("scheduled", 0), ("queued", 0)}
    assert [attempt["outcome"] for attempt in handed_back["attempts"]] == ["handed_back"]
    worker.start()
    lab.wait_for(long, State.RUNNING)
    assert lab.job(long)["attempt"] == 1


def test_a_killed_worker_s_jobs_are_taken_back_within_thirty_seconds_by_the_shipped_lease(
    laboratory: Callable[..., Lab],
) -> None:
    lab = laboratory(lease="15s", heartbeat="3s").start()
    job_id = lab.submit(payload={"do": "yield", "seconds": 6})
    lab.wait_for(job_id, State.RUNNING)
    lab.workers[0].kill()
    lab.workers[0].start()
    wait_until(lambda: len(lab.job(job_id)["attempts"]) == 2, 30, "the job to be taken back and started again")
    job = lab.wait_for(job_id)
    assert (job["state"], [attempt["outcome"] for attempt in job["attempts"]]) == ("succeeded", ["lost", "succeeded"])


def test_a_frozen_worker_that_comes_back_late_is_refused(lab: Lab) -> None:
    job_id = lab.submit(payload={"do": "sleep", "seconds": 3})
    lab.wait_for(job_id, State.RUNNING)
    zombie = lab.workers[0]
    zombie.freeze()
    lab.add_worker()
    wait_until(lambda: len(lab.job(job_id)["attempts"]) == 2, 20, "another worker to take the job")
    zombie.thaw()
    job = lab.wait_for(job_id)
    assert (job["state"], [attempt["outcome"] for attempt in job["attempts"]]) == ("succeeded", ["lost", "succeeded"])
    wait_until(lambda: not zombie.runs, 15, "the zombie to leave for its supervisor")


@pytest.mark.parametrize("deed", ["exit", "segfault"])
def test_poison_ends_in_the_dead_letter_and_takes_no_innocent_job_along(lab: Lab, deed: str) -> None:
    innocent = [lab.submit(payload={"do": "sleep", "seconds": 0.2}) for _ in range(20)]
    poison = lab.submit(payload={"do": deed})

    def revive_worker() -> bool:
        if not lab.workers[0].runs:
            lab.workers[0].start()
        return lab.job(poison)["state"] == "failed"

    wait_until(revive_worker, 60, "the poison to be quarantined")
    job = lab.job(poison)
    assert job["reason"] == "poison"
    assert len(job["attempts"]) == 3
    for job_id in innocent:
        assert lab.wait_for(job_id)["state"] == "succeeded"


def test_an_attempt_past_its_time_is_recorded_as_timed_out_although_its_thread_hangs(lab: Lab) -> None:
    job_id = lab.submit(payload={"do": "sleep", "seconds": 20}, timeout="1s", retry={"max_attempts": 1})
    job = lab.wait_for(job_id, seconds=10)
    assert (job["state"], job["reason"]) == ("failed", "timeout")


def test_prefork_kills_a_hung_attempt_and_goes_on(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory()
    lab.api.start()
    lab.add_scheduler()
    lab.add_worker("prefork", 2, "default,cpu")
    hung = lab.submit("probe.cpu", {"do": "sleep", "seconds": 60}, timeout="1s", retry={"max_attempts": 2})
    fine = [lab.submit("probe.cpu") for _ in range(10)]
    job = lab.wait_for(hung, seconds=30)
    assert (job["state"], job["reason"], len(job["attempts"])) == ("failed", "timeout", 2)
    assert {lab.wait_for(job_id)["state"] for job_id in fine} == {"succeeded"}


def test_a_killed_prefork_child_s_job_is_taken_back(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory()
    lab.api.start()
    lab.add_scheduler()
    worker = lab.add_worker("prefork", 2, "cpu")
    job_id = lab.submit("probe.cpu", {"do": "yield", "seconds": 4})
    lab.wait_for(job_id, State.RUNNING)
    for child in psutil.Process(worker.pid).children():
        os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: len(lab.job(job_id)["attempts"]) == 2, 20, "the job to be taken back")
    assert lab.wait_for(job_id)["state"] == "succeeded"


def test_a_stopping_prefork_worker_hands_its_jobs_back(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory()
    lab.api.start()
    lab.add_scheduler()
    worker = lab.add_worker("prefork", 2, "cpu")
    job_id = lab.submit("probe.cpu", {"do": "sleep", "seconds": 30})
    lab.wait_for(job_id, State.RUNNING)
    worker.stop()
    job = lab.job(job_id)
    assert job["attempt"] == 0
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["handed_back"]


def test_what_may_not_be_done_twice_is_not_repeated_after_a_crash(lab: Lab) -> None:
    job_id = lab.submit("probe.careful", {"do": "yield", "seconds": 20})
    lab.wait_for(job_id, State.RUNNING)
    lab.workers[0].kill()
    lab.workers[0].start()
    job = lab.wait_for(job_id, seconds=20)
    assert (job["state"], job["reason"]) == ("failed", "unknown_outcome")


def test_a_worker_that_no_longer_consumes_leaves_for_its_supervisor(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory(stuck_after="3s").start()
    lab.wait_for(lab.submit(), State.SUCCEEDED)
    with Celery(broker=lab.broker.url) as outsider:
        outsider.control.cancel_consumer("default", reply=True, timeout=2)
    lab.submit()
    wait_until(lambda: not lab.workers[0].runs, 25, "the worker to notice and leave")
