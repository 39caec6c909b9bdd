"""Jobs that kill, hang or swell among healthy ones: each is run three times, and then put away."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import psutil
import pytest
from sqlalchemy.orm import Session

from jobs.states import State
from tests import make
from tests.chaos.conftest import Record
from tests.chaos.forms import forms
from tests.laboratory import Lab
from tests.servers import wait_until

MEMORY = 1_000_000_000  # bytes that a process may take before our killer comes, as the kernel's would
INNOCENT = 2  # attempts in a process of its own that end because other poison kills the worker beside it
POISON = {
    "exit": ({"do": "exit"}, "poison"),
    "segfault": ({"do": "segfault"}, "poison"),
    "out of memory": ({"do": "swell", "size": 3 * MEMORY}, "poison"),
    "hang": ({"do": "sleep", "seconds": 3600}, "timeout"),
    "a result of 100 MB": ({"do": "big", "size": 100_000_000}, None),
}


@pytest.mark.timeout(600)
@forms("healthy, seconds", short=(100, 300), long=(500, 120))  # in which all poison must be put away
def test_poison_is_put_away_and_the_healthy_go_on(
    laboratory: Callable[..., Lab], healthy: int, seconds: int, record: Record
) -> None:
    lab = laboratory(door_patience="10s").start()
    _submit(lab, healthy)
    lab.wait_settled(120)
    normal = _p95(lab)
    poison = {
        name: lab.submit(payload=deed, timeout="3s" if name == "hang" else "1m", retry={"max_attempts": 3})
        for name, (deed, _) in POISON.items()
    }
    begun = time.monotonic()
    _submit(lab, healthy)

    def put_away() -> bool:
        lab.keep_up()
        _kill_the_swollen(lab)
        return all(lab.job(job_id)["state"] in {"failed", "succeeded"} for job_id in poison.values())

    try:
        wait_until(put_away, seconds, "all poison to be put away")
    except AssertionError as error:
        left = {name: (job := lab.job(job_id))["state"] + f" {len(job['attempts'])}" for name, job_id in poison.items()}
        raise AssertionError(f"{error}: {left}") from None
    took = time.monotonic() - begun
    assert lab.wait_settled(120)[State.SUCCEEDED] == 2 * healthy + 1
    runs = []
    for name, job_id in poison.items():
        job = lab.job(job_id)
        assert (name, job["reason"]) == (name, POISON[name][1])
        runs.append(len(job["attempts"]))
    assert max(runs) <= 3 + INNOCENT, runs
    assert lab.job(poison["a result of 100 MB"])["result"]["truncated"]
    print(f"p95 of the healthy: {normal:.2f} s alone, {_p95(lab):.2f} s beside poison")
    ours = f"put away after {max(runs)} attempts at most; all others done"
    record(10, f"5 kinds of poison among {healthy} jobs", "run 19 to 27 times a minute, for ever", ours, took)


def _submit(lab: Lab, count: int) -> None:
    with Session(lab.engine) as session, session.begin():
        for _ in range(count):
            make.job(session, task="probe.run", payload={"do": "sleep", "seconds": 0.05}, timeout=timedelta(seconds=30))


def _p95(lab: Lab) -> float:
    late = lab.lateness()
    return late[int(len(late) * 0.95)]


def _kill_the_swollen(lab: Lab) -> None:
    """What the kernel does when memory runs out, for a limit that a test can afford."""
    for part in lab.workers:
        with suppress(psutil.NoSuchProcess, AssertionError):
            for process in (parent := psutil.Process(part.pid), *parent.children(recursive=True)):
                if process.memory_info().rss > MEMORY:
                    process.send_signal(signal.SIGKILL)
