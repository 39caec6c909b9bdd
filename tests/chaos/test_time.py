"""Long delays and schedules, with the ones who keep the time killed."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from jobs.states import State
from tests.laboratory import Lab, Monkey
from tests.servers import wait_until


def test_a_delay_of_three_visibility_timeouts_and_two_restarts_runs_once(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory(visibility_timeout="3s").start()
    url = f"{lab.third_party.url}/effect?ms=10"
    job_id = lab.submit("http.request", {"method": "POST", "url": url, "json": {}}, delay="9s")
    lab.workers[0].restart()
    lab.workers[0].kill()
    lab.workers[0].start()
    job = lab.wait_for(job_id, seconds=30)
    assert job["state"] == "succeeded"
    assert len(job["attempts"]) == 1
    assert len(lab.third_party.calls[str(job_id)]) == 1
    late = datetime.fromisoformat(job["started_at"]) - datetime.fromisoformat(job["run_at"])
    assert 0 <= late.total_seconds() < 2


@pytest.mark.parametrize("seconds", [pytest.param(15, id="short"), pytest.param(60, id="long", marks=pytest.mark.long)])
def test_each_tick_is_one_job_while_three_schedulers_are_killed_at_random(
    laboratory: Callable[..., Lab], seconds: int
) -> None:
    lab = laboratory()
    lab.api.start()
    for _ in range(3):
        lab.add_scheduler()
    monkey = Monkey(lab.schedulers, every=0.7)
    made = lab.client.post("/v1/schedules", json={"name": "each-second", "task": "probe.run", "every": "1s"})
    assert made.status_code == 201, made.text
    monkey.torment(lambda: wait_until(lambda: len(lab.ticks()) >= seconds, seconds + 45, f"{seconds} ticks"))
    assert lab.client.patch("/v1/schedules/each-second", json={"paused": True}).status_code == 200
    ticks = lab.ticks()
    times = [at for at, _ in ticks]
    gaps = {round((later - earlier).total_seconds(), 3) for earlier, later in pairwise(times)}
    assert gaps == {1.0}, "a tick was missed"
    assert len({job for _, job in ticks} - {None}) == len(ticks), "a tick made no job, or two"
    assert sum(lab.states().values()) == len(ticks)
    assert sum(monkey.kills.values()) >= 8
    assert times[0] > datetime.now(UTC).replace(year=2000)


def test_a_delayed_job_is_not_early_and_hardly_late(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory().start()
    ids = [lab.submit(delay="2s") for _ in range(20)]
    jobs = [lab.wait_for(job_id, State.SUCCEEDED) for job_id in ids]
    late = sorted(
        (datetime.fromisoformat(j["started_at"]) - datetime.fromisoformat(j["run_at"])).total_seconds() for j in jobs
    )
    assert late[0] >= 0
    print(f"lateness p50 {late[10] * 1000:.0f} ms")
    assert late[10] < 5, "far from a poll of minutes; the figure itself is bench's"
