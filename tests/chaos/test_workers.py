"""Workers that are stopped, killed, frozen or poisoned."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from celery import Celery

from jobs.states import State
from tests.chaos.conftest import Record
from tests.chaos.forms import forms
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


def test_a_job_that_a_worker_claimed_ahead_and_has_no_thread_for_goes_to_another(laboratory: Callable[..., Lab]) -> None:
    """Where jobs are short a worker claims some before it has a thread for them; then long ones take every thread."""
    lab = laboratory().start("threads", 8)
    long = [{"do": "sleep", "seconds": 20}] * 8
    lines = [{"task": "probe.run", "payload": script} for script in [{}] * 400 + long + [{}] * 100]
    sent = lab.client.post("/v1/jobs/bulk", json={"jobs": lines})
    assert sent.status_code == 202, sent.text
    begun = [line["id"] for line in sent.json()["results"][400:408]]
    wait_until(lambda: all(lab.job(job_id)["state"] == "running" for job_id in begun), 30, "the long ones to begin")
    lab.add_worker("threads", 2)
    wait_until(lambda: lab.states()[State.SUCCEEDED] == 500, 12, "the short ones to be done by the other worker")
    assert lab.states()[State.RUNNING] == 8
    assert lab.starts() > 508, "none was claimed ahead"
    assert lab.wait_settled(40) == {State.SUCCEEDED: 508}


def test_a_stopping_worker_lets_jobs_end_and_hands_back_the_rest_with_no_attempt_spent(lab: Lab) -> None:
    short = lab.submit(payload=SLOW)
    long = lab.submit(payload={"do": "yield", "seconds": 6})
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


@forms("jobs", short=(10,), long=(40,))
def test_a_zombie_s_writes_are_refused(laboratory: Callable[..., Lab], record: Record, jobs: int) -> None:
    """Its calls were made; it froze before they were answered, and wakes when others have made them again."""
    lab = laboratory().start("threads", jobs)
    zombie = lab.workers[0]
    accepted = lab.submit_calls(jobs, "/effect?ms=3000")
    wait_until(lambda: lab.states()[State.RUNNING] == jobs, 20, "the worker to hold every job")
    zombie.freeze()
    lab.add_worker("threads", jobs)
    wait_until(lambda: lab.starts() == 2 * jobs, 30, "another worker to take every job")
    zombie.thaw()
    thawed = time.monotonic()
    wait_until(lambda: not zombie.runs, 20, "the zombie to leave for its supervisor")
    left = time.monotonic() - thawed
    assert lab.wait_settled(30) == {State.SUCCEEDED: jobs}
    assert lab.third_party.effects == set(accepted)
    for job_id in accepted:
        assert [attempt["outcome"] for attempt in lab.job(job_id)["attempts"]] == ["lost", "succeeded"]
    ours = f"0 of {jobs} doubled; the zombie leaves after {left:.1f} s"
    record(9, "worker frozen past its lease, then resumed", "16 of 40 doubled", ours, time.monotonic() - thawed)


def test_a_worker_that_wakes_past_its_trust_begins_no_call(lab: Lab, record: Record) -> None:
    job_id = lab.submit(payload={"do": "call late", "seconds": 2, "url": lab.third_party.url})
    lab.wait_for(job_id, State.RUNNING)
    zombie = lab.workers[0]
    zombie.freeze()
    lab.add_worker()
    assert lab.wait_for(job_id, State.SUCCEEDED)["attempts"][0]["outcome"] == "lost"
    zombie.thaw()
    wait_until(lambda: not zombie.runs, 20, "the zombie to leave for its supervisor")
    assert lab.third_party.count() == 1
    record(9, "worker frozen before its call, then resumed", "–", "no call past its trust window", None)


@pytest.mark.timeout(400)
@forms("jobs, seconds", short=(10, 6), long=(100, 15))
def test_what_lasts_longer_than_every_timeout_is_begun_once(
    laboratory: Callable[..., Lab], record: Record, jobs: int, seconds: int
) -> None:
    """Jobs and delays longer than the lease (2 and 3 of them); plain Celery fails where they pass its visibility timeout."""
    lab = laboratory(lease="3s" if seconds < 10 else "5s").start("threads", jobs)
    long = lab.submit_calls(jobs, f"/effect?ms={seconds * 1000}")
    delayed = [lab.submit(delay=f"{seconds}s") for _ in range(jobs)]
    assert lab.wait_settled(seconds + 30) == {State.SUCCEEDED: 2 * jobs}
    assert lab.starts() == 2 * jobs
    assert {key: len(spans) for key, spans in lab.third_party.calls.items()} == dict.fromkeys(long, 1)
    late = [_late(lab.job(job_id)) for job_id in delayed]
    assert min(late) >= 0
    ours = f"{2 * jobs} starts for {2 * jobs} jobs; none early, the latest by {max(late):.1f} s"
    record(11, f"jobs and delays of {seconds} s, longer than every timeout", "400 runs for 100 jobs", ours, None)


def _late(job: dict[str, Any]) -> float:
    return (datetime.fromisoformat(job["started_at"]) - datetime.fromisoformat(job["run_at"])).total_seconds()


@pytest.mark.timeout(600)
@forms("jobs, restarts", short=(200, 1), long=(600, 3), endurance=(2000, 20))
def test_a_rolling_restart_under_load_costs_no_job_and_no_call(
    laboratory: Callable[..., Lab], record: Record, jobs: int, restarts: int
) -> None:
    lab = laboratory().start()
    lab.add_worker()
    lab.add_worker("prefork", 2)
    took: list[float] = []

    def roll() -> None:
        for _ in range(restarts):
            for part in [*lab.workers, *lab.schedulers, lab.api]:
                began = time.monotonic()
                part.stop()
                took.append(time.monotonic() - began)
                part.start()

    with ThreadPoolExecutor(1) as pool:
        submitting = pool.submit(lab.submit_calls, jobs, "/effect?ms=100", 4)
        lab.wait_progress()
        roll()
        accepted = submitting.result()
    rolled = time.monotonic()
    assert lab.wait_settled(90) == {State.SUCCEEDED: jobs}
    assert lab.third_party.effects == set(accepted)
    assert lab.third_party.count() == jobs, "a call was made twice"
    assert max(took) < 4 + 5, "the drain_grace of the laboratory, and what a process needs to end"
    ours = f"0 of {jobs} lost, 0 extra calls in {len(took)} restarts; a stop takes {max(took):.1f} s at most"
    record(12, "SIGTERM under load, part after part", "4 of 12 lost, 8 stuck", ours, time.monotonic() - rolled)


@pytest.mark.parametrize("deed", ["exit", "segfault"])
def test_poison_ends_in_the_dead_letter_and_takes_no_innocent_job_along(lab: Lab, deed: str) -> None:
    innocent = [lab.submit(payload={"do": "sleep", "seconds": 0.2}) for _ in range(20)]
    poison = lab.submit(payload={"do": deed})

    def revive_worker() -> bool:
        if not lab.workers[0].runs:
            lab.workers[0].start()
        return lab.job(poison)["state"] == "failed"

    wait_until(revive_worker, 120, "the poison to be quarantined")
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
    lab = laboratory().start("prefork", 2)
    hung = lab.submit("probe.cpu", {"do": "sleep", "seconds": 60}, timeout="1s", retry={"max_attempts": 2})
    fine = [lab.submit("probe.cpu") for _ in range(10)]
    job = lab.wait_for(hung, seconds=30)
    assert (job["state"], job["reason"], len(job["attempts"])) == ("failed", "timeout", 2)
    assert {lab.wait_for(job_id)["state"] for job_id in fine} == {"succeeded"}


def test_a_killed_prefork_child_s_job_is_taken_back(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory().start("prefork", 2)
    worker = lab.workers[0]
    job_id = lab.submit("probe.cpu", {"do": "yield", "seconds": 4})
    lab.wait_for(job_id, State.RUNNING)
    for child in psutil.Process(worker.pid).children():
        os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: len(lab.job(job_id)["attempts"]) == 2, 20, "the job to be taken back")
    assert lab.wait_for(job_id)["state"] == "succeeded"


def test_a_stopping_prefork_worker_hands_its_jobs_back(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory().start("prefork", 2)
    worker = lab.workers[0]
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
