"""The whole product as real processes: what a user sees when everything is well."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from jobs.states import State
from tests.laboratory import Lab
from tests.servers import Valkey, free_port, wait_until


@pytest.fixture(scope="module", params=["door,hints,transport", ""], ids=["shortcuts", "stock"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder: Path = tmp_path_factory.mktemp("stack")
    broker = Valkey()
    laboratory = Lab(f"sqlite:///{folder / 'treadle.db'}", broker, folder, metrics_port="0", shortcuts=request.param)
    laboratory.api.start()
    laboratory.add_worker(metrics_port=str(free_port()))
    laboratory.add_scheduler()
    wait_until(lambda: laboratory.client.get("/readyz").json()["workers"] == 1, 30, "the worker to join")
    yield laboratory
    laboratory.close()
    broker.remove()


def _outcomes(job: dict[str, Any]) -> list[str]:
    return [attempt["outcome"] for attempt in job["attempts"]]


def test_a_job_fails_backs_off_retries_and_succeeds(lab: Lab) -> None:
    url = f"{lab.third_party.url}/flaky?times=1"
    job_id = lab.submit("http.request", {"method": "POST", "url": url, "json": {"order": 7}})
    job = lab.wait_for(job_id)
    assert (job["state"], job["attempt"], _outcomes(job)) == ("succeeded", 2, ["retry", "succeeded"])
    assert job["result"]["status"] == 200
    first = job["attempts"][0]
    assert (first["error"]["class"], first["error"]["status"]) == ("Transient", 503)
    waited = datetime.fromisoformat(job["attempts"][1]["started_at"]) - datetime.fromisoformat(first["finished_at"])
    assert 1 <= waited.total_seconds() < 4, "Retry-After: 1 was honoured"
    assert lab.third_party.bodies[str(job_id)] == {"order": 7}
    assert len(lab.third_party.calls[str(job_id)]) == 2, "one key, both attempts"


@pytest.mark.parametrize(
    ("script", "state", "reason", "outcomes"),
    [
        ({"do": "fail", "times": 2}, "succeeded", None, ["retry", "retry", "succeeded"]),
        ({"do": "break", "times": 1}, "succeeded", None, ["retry", "succeeded"]),
        ({"do": "fail", "times": 9}, "failed", "exhausted", ["retry"] * 4 + ["failed"]),
        ({"do": "reject"}, "failed", "rejected", ["failed"]),
        ({"do": "snooze"}, "succeeded", None, ["snoozed", "succeeded"]),
    ],
)
def test_an_attempt_ends_as_its_task_says(
    lab: Lab, script: dict[str, Any], state: str, reason: str | None, outcomes: list[str]
) -> None:
    job = lab.wait_for(lab.submit(payload=script))
    assert (job["state"], job["reason"], _outcomes(job)) == (state, reason, outcomes)
    assert [line["message"] for line in job["log"]] == [f"told to {script['do']}"] * len(outcomes)


def test_the_traceback_of_an_unexpected_error_is_kept(lab: Lab) -> None:
    job = lab.wait_for(lab.submit(payload={"do": "break", "times": 9}, retry={"max_attempts": 1}))
    assert job["error"]["class"] == "RuntimeError"
    assert "told to break" in job["error"]["traceback"]


def test_a_result_that_is_too_large_does_not_undo_the_work(lab: Lab) -> None:
    job = lab.wait_for(lab.submit(payload={"do": "big", "size": 5_000_000}))
    assert job["state"] == "succeeded"
    assert job["result"]["truncated"] is True
    assert job["result"]["bytes"] > 5_000_000


def test_a_coroutine_runs_and_its_deadline_holds(lab: Lab) -> None:
    assert lab.wait_for(lab.submit("probe.async", {"seconds": 0.1}))["state"] == "succeeded"
    job = lab.wait_for(lab.submit("probe.async", {"seconds": 30}, timeout="1s", retry={"max_attempts": 1}))
    assert (job["state"], job["reason"]) == ("failed", "timeout")


def test_a_running_job_is_cancelled_when_its_task_gives_way(lab: Lab) -> None:
    job_id = lab.submit(payload={"do": "yield", "seconds": 30})
    lab.wait_for(job_id, State.RUNNING)
    wait_until(lambda: lab.job(job_id)["progress"], 10, "progress to be seen")
    asked = lab.client.post(f"/v1/jobs/{job_id}/cancel").json()
    assert (asked["state"], asked["cancel_requested"]) == ("running", True)
    job = lab.wait_for(job_id)
    assert (job["state"], _outcomes(job)) == ("cancelled", ["cancelled"])


def test_a_waiting_job_is_cancelled_at_once_and_can_be_retried_by_hand(lab: Lab) -> None:
    job_id = lab.submit(delay="1h")
    assert lab.client.post(f"/v1/jobs/{job_id}/cancel").json()["state"] == "cancelled"
    assert lab.client.post(f"/v1/jobs/{job_id}/cancel").status_code == 409
    assert lab.client.post(f"/v1/jobs/{job_id}/retry").status_code == 202
    assert lab.wait_for(job_id)["state"] == "succeeded"


def test_a_dead_letter_is_retried_by_hand_with_its_history(lab: Lab) -> None:
    job_id = lab.submit(payload={"do": "fail", "times": 2}, retry={"max_attempts": 2})
    assert lab.wait_for(job_id)["reason"] == "exhausted"
    assert lab.client.post(f"/v1/jobs/{job_id}/retry").status_code == 202
    job = lab.wait_for(job_id)
    assert (job["state"], _outcomes(job)) == ("succeeded", ["retry", "failed", "succeeded"])


def test_a_paused_queue_starts_nothing_and_goes_on_when_resumed(lab: Lab) -> None:
    assert lab.client.post("/v1/queues/cpu/pause").json()["paused"] is True
    job_id = lab.submit("probe.cpu")
    lab.wait_for(lab.submit())  # others go on
    assert lab.job(job_id)["state"] in {"scheduled", "queued"}
    lab.client.post("/v1/queues/cpu/resume")
    assert lab.wait_for(job_id)["state"] == "succeeded"


def test_a_job_not_started_in_time_expires(lab: Lab) -> None:
    lab.client.post("/v1/queues/cpu/pause")
    job_id = lab.client.post("/v1/jobs", json={"task": "probe.cpu", "expires_at": _soon()}).json()["id"]
    assert lab.wait_for(job_id)["state"] == "expired"
    lab.client.post("/v1/queues/cpu/resume")


def test_plain_celery_tasks_run_unchanged_with_retries_and_history(lab: Lab) -> None:
    listed = {task["name"] for task in lab.client.get("/v1/tasks").json()["tasks"]}
    assert "tests.probe.plain" in listed
    job = lab.wait_for(lab.submit("tests.probe.plain", {"args": [2], "kwargs": {"right": 3}}))
    assert (job["state"], job["result"]) == ("succeeded", 5)
    job = lab.wait_for(lab.submit("tests.probe.plain", {"args": [2, 3], "kwargs": {"fail": 2}}))
    assert (job["result"], _outcomes(job)) == (5, ["retry", "retry", "succeeded"])


def test_a_schedule_fires_and_run_now_makes_a_job_beside_it(lab: Lab) -> None:
    body = {"name": "often", "task": "probe.run", "every": "1s", "payload": {"do": "ok"}}
    assert lab.client.post("/v1/schedules", json=body).status_code == 201
    extra = lab.client.post("/v1/schedules/often/run").json()["id"]
    schedule_id = lab.client.get("/v1/schedules/often").json()["id"]

    def made() -> list[Any]:
        found: list[Any] = lab.client.get("/v1/jobs", params={"schedule_id": schedule_id, "state": "succeeded"}).json()[
            "jobs"
        ]
        return found

    wait_until(lambda: len(made()) >= 3, 15, "two ticks and the extra job to be done")
    assert extra in {job["id"] for job in made()}
    assert lab.client.delete("/v1/schedules/often").status_code == 204


def test_metrics_of_api_and_worker_tell_what_happened_with_bounded_labels(lab: Lab) -> None:
    lab.wait_for(lab.submit())
    port = lab.workers[0]._vars["TREADLE_METRICS_PORT"]
    shown = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    assert re.search(r'treadle_attempts_total\{outcome="succeeded",task="probe.run"\} [1-9]', shown)
    assert re.search(r'treadle_wait_seconds_count\{queue="default"\} [1-9]', shown)
    door = lab.client.get("/metrics").text
    assert re.search(r'treadle_jobs_submitted_total\{queue="default",task="probe.run"\} [1-9]', door)
    assert re.search(r'treadle_http_requests_total\{method="GET",route="/v1/jobs/\{job_id\}",status="200"\} [1-9]', door)
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-7", shown + door), "an id is no label"


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
