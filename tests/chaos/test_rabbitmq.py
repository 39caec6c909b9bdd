"""RabbitMQ instead of Redis, by nothing but the URL."""

import statistics
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from jobs.states import State
from runtime.families import PATIENCE
from scheduler.dispatch import UNTOLD
from tests.brokers import RabbitMQ
from tests.chaos.conftest import Record
from tests.laboratory import Lab
from tests.servers import wait_until

LONG = {"do": "yield", "seconds": 90}


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    """These are about the broker; the ledger's own tests run on both databases."""
    return f"sqlite:///{tmp_path / 'treadle.db'}"


@pytest.fixture
def broker(rabbitmq: RabbitMQ) -> RabbitMQ:
    """The session's RabbitMQ, running and empty."""
    if not rabbitmq.runs:
        rabbitmq.start()
    rabbitmq.forget("default", "cpu")
    return rabbitmq


def test_the_product_does_on_rabbitmq_what_it_does_on_redis(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory().start()
    flower = lab.add_flower()
    fine, retried = lab.submit(), lab.submit(payload={"do": "fail", "times": 2})
    delayed, cancelled = lab.submit(delay="2s"), lab.submit(payload=LONG)
    on_cpu = lab.submit("probe.cpu")
    lab.wait_for(cancelled, State.RUNNING)
    assert lab.client.post(f"/v1/jobs/{cancelled}/cancel").is_success
    assert lab.wait_for(cancelled)["state"] == "cancelled"
    for job_id in (fine, retried, delayed, on_cpu):
        assert lab.wait_for(job_id)["state"] == "succeeded"
    assert [attempt["outcome"] for attempt in lab.job(retried)["attempts"]] == ["retry", "retry", "succeeded"]
    assert 0 <= _late(lab, delayed) < 2
    wait_until(lambda: str(fine) in httpx2.get(f"{flower}/api/tasks").json(), 10, "Flower to show the job")


@pytest.mark.endurance
def test_important_jobs_go_first_on_rabbitmq_and_equal_ones_in_order(
    laboratory: Callable[..., Lab], broker: RabbitMQ
) -> None:
    lab = laboratory()
    lab.api.start()
    jobs = [(word, lab.submit(priority=word)) for _ in range(2) for word in ("low", "normal", "high", "critical")]
    wait_until(lambda: lab.states()[State.QUEUED] == len(jobs), 10, "all hints to be sent")
    wait_until(lambda: broker.depth("default") == len(jobs), 10, "all hints to lie in the queue")
    lab.add_worker(slots=1)
    lab.add_scheduler()
    lab.wait_settled(20)
    started = sorted(jobs, key=lambda job: str(lab.job(job[1])["started_at"]))
    assert [word for word, _ in started] == ["critical", "critical", "high", "high", "normal", "normal", "low", "low"]
    assert [job_id for word, job_id in started if word == "high"] == [job_id for word, job_id in jobs if word == "high"]


@pytest.mark.endurance
def test_a_busy_worker_on_rabbitmq_holds_no_job_that_another_could_run(
    laboratory: Callable[..., Lab], broker: RabbitMQ
) -> None:
    lab = laboratory()
    lab.api.start()
    lab.add_scheduler()
    lab.add_worker(slots=2)
    busy = [lab.submit(payload=LONG) for _ in range(2)]
    for job_id in busy:
        lab.wait_for(job_id, State.RUNNING)
    waiting = [lab.submit() for _ in range(5)]
    wait_until(
        lambda: broker.depth("default") == 5,
        UNTOLD.total_seconds() / 2,
        "all five to wait in the queue, and none in the worker",
    )
    lab.add_worker(slots=2)
    for job_id in waiting:
        lab.wait_for(job_id, State.SUCCEEDED, seconds=45)
    for job_id in busy:
        assert lab.job(job_id)["state"] == "running"
        lab.client.post(f"/v1/jobs/{job_id}/cancel")


def test_hints_that_wait_in_rabbitmq_are_not_sent_again(laboratory: Callable[..., Lab], broker: RabbitMQ) -> None:
    lab = laboratory()
    lab.api.start()
    lab.add_scheduler()
    for _ in range(5):
        lab.submit()
    wait_until(lambda: broker.depth("default") == 5, 10, "all hints to lie in the queue")
    threading.Event().wait(UNTOLD.total_seconds() + 4)
    assert broker.depth("default") == 5


def test_a_killed_worker_s_jobs_are_taken_back_on_rabbitmq_too(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory().start()
    jobs = [lab.submit(payload={"do": "yield", "seconds": 3}) for _ in range(4)]
    for job_id in jobs:
        lab.wait_for(job_id, State.RUNNING)
    lab.workers[0].kill()
    lab.workers[0].start()
    for job_id in jobs:
        job = lab.wait_for(job_id, seconds=30)
        assert (job["state"], [attempt["outcome"] for attempt in job["attempts"]]) == ("succeeded", ["lost", "succeeded"])


def test_jobs_are_accepted_while_rabbitmq_is_away_and_run_when_it_is_back(
    laboratory: Callable[..., Lab], broker: RabbitMQ, record: Record
) -> None:
    lab = laboratory().start()
    lab.wait_for(lab.submit(), State.SUCCEEDED)
    lab.workers[0].stop()  # so that hints lie in the queue, and are lost with it
    for _ in range(20):
        lab.submit()
    wait_until(lambda: broker.depth("default") == 20, 10, "the hints to lie in the queue")
    broker.kill()
    lab.workers[0].start()
    took = [_timed(lab.submit) for _ in range(100)]
    broker.start()
    back = time.monotonic()
    lab.wait_settled(60)
    seconds = time.monotonic() - back
    assert lab.states() == {State.SUCCEEDED: 121}
    assert _p99(took) <= 0.2
    assert seconds <= 30
    record(
        5, "RabbitMQ killed, 20 hints lost with it", "–", f"121 of 121 done, POST p99 {_p99(took) * 1000:.0f} ms", seconds
    )


def test_no_request_waits_for_a_rabbitmq_that_is_frozen(laboratory: Callable[..., Lab], broker: RabbitMQ) -> None:
    lab = laboratory().start()
    lab.wait_for(lab.submit(), State.SUCCEEDED)
    with broker.frozen():
        until = time.monotonic() + 2 * PATIENCE
        took = [_timed(lab.submit) for _ in iter(lambda: time.monotonic() < until, False)]
    assert _p99(took) <= 0.2
    assert lab.wait_settled(60) == {State.SUCCEEDED: len(took) + 1}


def _late(lab: Lab, job_id: UUID) -> float:
    job = lab.job(job_id)
    return (datetime.fromisoformat(job["started_at"]) - datetime.fromisoformat(job["run_at"])).total_seconds()


def _timed(do: Callable[[], object]) -> float:
    started = time.monotonic()
    do()
    return time.monotonic() - started


def _p99(took: list[float]) -> float:
    return statistics.quantiles(took, n=100)[98]
