"""Long delays, and how late a job is."""

from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from jobs.model import Worker
from jobs.states import State
from tests.chaos.forms import on_sqlite_first
from tests.laboratory import Lab


@on_sqlite_first
def test_a_delay_over_two_restarts_runs_once(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory().start()
    url = f"{lab.third_party.url}/effect?ms=10"
    job_id = lab.submit("http.request", {"method": "POST", "url": url, "json": {}}, delay="9s")
    lab.workers[0].restart()
    lab.workers[0].kill()
    lab.workers[0].start()
    job = lab.wait_for(job_id, seconds=30)
    assert job["state"] == "succeeded"
    assert len(job["attempts"]) == 1
    assert len(lab.third_party.calls[str(job_id)]) == 1
    began, due = datetime.fromisoformat(job["started_at"]), datetime.fromisoformat(job["run_at"])
    with lab.reading() as session:
        there = session.scalars(sa.select(sa.func.max(Worker.started_at))).one()
    assert began >= due
    assert began - max(due, there) < timedelta(seconds=2), "late, although its worker was there"


@on_sqlite_first
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
