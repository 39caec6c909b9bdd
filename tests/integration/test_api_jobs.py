"""Jobs through the door, on both databases: made once, listed in order, cancelled, retried."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from jobs import keys
from jobs.model import Queue
from runtime.broker import Hint
from runtime.database import transaction
from runtime.group_commit import GroupCommit
from tests import make
from tests.clock import Clock
from tests.contract.door import Door
from tests.crowd import at_once, run, statuses
from tests.servers import wait_until

HOUR = timedelta(hours=1)
CALL = {"url": "https://example.com/"}
EVERYTHING = {
    "task": "http.request",
    "payload": {"method": "PUT", "url": "https://example.com/a?b=c", "json": {"é": [1, 2.5, None, "\U0001f600", 10**30]}},
    "queue": "cpu",
    "priority": "critical",
    "delay": "1h30m",
    "expires_at": "2026-02-01T00:00:00+02:00",
    "timeout": "45s",
    "retry": {"max_attempts": 3, "backoff": {"kind": "fixed", "delay": "10s"}},
    "tags": ["billing", "ü"],
    "metadata": {"customer": "42"},
}


# Making one


def test_a_job_is_accepted_stored_and_hinted(door: Door, sent: list[Hint]) -> None:
    made = door.post_job(payload=CALL)
    assert made.status_code == 202
    job = made.json()
    assert made.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["state"], job["attempt"], job["queue"], job["priority"]) == ("queued", 0, "default", "normal")
    assert [str(hint.job_id) for hint in sent] == [job["id"]]
    whole = door.ask("GET", made.headers["location"]).json()
    assert whole["payload"] == CALL
    assert (whole["attempts"], whole["log"]) == ([], [])
    assert job.items() <= whole.items()


def test_everything_that_is_given_is_kept(door: Door, clock: Clock, sent: list[Hint]) -> None:
    made = door.ask("POST", "/v1/jobs", json=EVERYTHING).json()
    whole = door.ask("GET", f"/v1/jobs/{made['id']}").json()
    for name in ("task", "payload", "queue", "priority", "timeout", "tags", "metadata"):
        assert whole[name] == EVERYTHING[name]
    assert whole["state"] == "scheduled"
    assert datetime.fromisoformat(whole["run_at"]) == clock.now() + 1.5 * HOUR
    assert datetime.fromisoformat(whole["expires_at"]) == datetime.fromisoformat(str(EVERYTHING["expires_at"]))
    assert whole["retry"]["max_attempts"] == whole["max_attempts"] == 3
    assert whole["retry"]["backoff"] == {"kind": "fixed", "delay": "10s"}
    assert whole["retry"]["retry_after_max"] == "1h", "what the policy leaves out is the task's own"
    assert sent == []


def test_a_time_in_any_zone_is_the_same_instant(door: Door, clock: Clock) -> None:
    for given in ("2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00", "2026-03-01T00:00:00-12:00"):
        assert door.post_job(run_at=given).json()["run_at"] == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"delay": "1h", "run_at": "2026-03-01T00:00:00Z"}, ""),
        ({"delay": "0s", "run_at": "2026-03-01T00:00:00Z"}, ""),
        ({"run_at": "2026-03-02T00:00:00Z", "expires_at": "2026-03-01T00:00:00Z"}, "/expires_at"),
        ({"run_at": "2026-03-01T00:00:00Z", "expires_at": "2026-03-01T00:00:00Z"}, "/expires_at"),
        ({"delay": "2h", "expires_at": "2026-01-15T13:00:00Z"}, "/expires_at"),
        ({"expires_at": "2026-01-15T12:00:00Z"}, "/expires_at"),
        ({"run_at": "2025-01-01T00:00:00Z", "expires_at": "2025-06-01T00:00:00Z"}, "/expires_at"),
        ({"queue": "nothing"}, "/queue"),
        ({"queue": ""}, "/queue"),
        ({"task": "http.reqest"}, "/task"),
        ({"payload": {"url": "https://example.com/", "body": "a", "json": 1}}, "/payload"),
        ({"payload": {"uri": "https://example.com/", "url": "https://example.com/"}}, "/payload/uri"),
        ({"timeout": "0.5s"}, "/timeout"),
        ({"run_at": "2036-01-16T00:00:00Z"}, "/run_at"),
    ],
)
def test_what_cannot_be_is_refused_and_not_stored(fields: dict[str, Any], pointer: str, door: Door, clock: Clock) -> None:
    answer = door.post_job(**fields)
    assert answer.status_code == 422
    assert [wrong["pointer"] for wrong in answer.json()["errors"]] == [pointer]
    assert door.ask("GET", "/v1/jobs").json()["jobs"] == []


def test_a_task_that_is_nearly_named_is_suggested(door: Door) -> None:
    assert "Did you mean 'http.request'?" in door.post_job("http.reqest").json()["detail"]


def test_50_at_once_are_50_jobs(door: Door, sent: list[Hint]) -> None:
    answers = at_once(50, lambda number: door.post_job(metadata={"number": str(number)}))
    assert statuses(answers) == {202: 50}
    assert len({answer.json()["id"] for answer in answers}) == len(set(sent)) == 50


# Made once


def test_the_same_key_and_request_again_is_the_same_job(door: Door, sent: list[Hint]) -> None:
    first = door.post_job(headers={"idempotency-key": "k"}, tags=["a"])
    again = door.post_job(headers={"idempotency-key": "k"}, tags=["a"])
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert len(sent) == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"payload": {"url": "https://example.com/"}, "task": "http.request"}',
        b'{"task":"http.request","payload":{"url":"https:\\/\\/example.com\\/"},"priority":"normal","tags":[]}',
    ],
)
def test_the_same_request_in_other_words_is_the_same(body: bytes, door: Door) -> None:
    headers = {"idempotency-key": "k", "content-type": "application/json"}
    assert door.post_job(headers=headers).status_code == 202
    assert door.ask("POST", "/v1/jobs", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("other", [{"payload": CALL | {"method": "GET"}}, {"queue": "cpu"}, {"delay": 1}, {"tags": ["x"]}])
def test_the_same_key_with_another_request_is_refused(other: dict[str, Any], door: Door) -> None:
    assert door.post_job(headers={"idempotency-key": "k"}).status_code == 202
    refused = door.post_job(headers={"idempotency-key": "k"}, **other)
    assert refused.status_code == 422
    assert refused.json()["type"] == "/problems/key-reused"


def test_a_key_shows_the_job_as_it_is_now(door: Door) -> None:
    first = door.post_job(headers={"idempotency-key": "k"}).json()
    run(first, make.SUCCESS)
    assert door.post_job(headers={"idempotency-key": "k"}).json()["state"] == "succeeded"


def test_a_key_with_quotes_is_the_same_key(door: Door) -> None:
    assert door.post_job(headers={"idempotency-key": "k"}).status_code == 202
    assert door.post_job(headers={"idempotency-key": '"k"'}).status_code == 200


def test_a_request_that_was_refused_does_not_spend_its_key(door: Door) -> None:
    assert door.post_job(headers={"idempotency-key": "k"}, queue="nothing").status_code == 422
    assert door.post_job(headers={"idempotency-key": "k"}).status_code == 202


def test_a_key_is_forgotten_after_its_window(door: Door, clock: Clock) -> None:
    first = door.post_job(headers={"idempotency-key": "k"})
    clock.advance(24 * HOUR - timedelta(seconds=1))
    assert door.post_job(headers={"idempotency-key": "k"}).status_code == 200
    clock.advance(1)
    again = door.post_job(headers={"idempotency-key": "k"}, tags=["another"])
    assert again.status_code == 202
    assert again.json()["id"] != first.json()["id"]


def test_another_tenants_key_is_another_key(door: Door) -> None:
    with transaction() as session:
        them = f"Bearer {keys.create(session, 'them', 'write', tenant='them')}"
    ours = door.post_job(headers={"idempotency-key": "k"})
    theirs = door.post_job(headers={"idempotency-key": "k", "authorization": them}, tags=["other"])
    assert theirs.status_code == 202
    assert theirs.json()["id"] != ours.json()["id"]
    with transaction() as session:
        for key in session.query(keys.ApiKey).where(keys.ApiKey.tenant == "them"):
            session.delete(key)


def test_50_at_once_with_one_key_are_one_job(door: Door, sent: list[Hint]) -> None:
    answers = at_once(50, lambda _: door.post_job(headers={"idempotency-key": "k"}))
    assert statuses(answers) == {202: 1, 200: 49}
    assert len({answer.json()["id"] for answer in answers if answer.is_success}) == len(sent) == 1


def test_50_at_once_with_one_key_and_two_requests_are_one_job(door: Door) -> None:
    answers = at_once(50, lambda number: door.post_job(headers={"idempotency-key": "k"}, tags=["ab"[number % 2]]))
    found = statuses(answers)
    assert found[202] == 1
    assert set(found) <= {202, 200, 409, 422}


def test_keys_in_any_order_at_once_never_block_one_another(door: Door) -> None:
    names = [f"k{number % 10}" for number in range(100)]
    answers = at_once(50, lambda number: door.post_job(headers={"idempotency-key": names[number * 7 % 100]}))
    assert statuses(answers) == {202: 10, 200: 40}


# Lists


def test_pages_follow_one_another_newest_first(door: Door) -> None:
    made = [door.post_job().json()["id"] for _ in range(7)]
    found, path, pages = [], "/v1/jobs?limit=3", 0
    while path:
        answer = door.ask("GET", path)
        found += [job["id"] for job in answer.json()["jobs"]]
        pages += 1
        path = answer.links["next"]["url"] if "next" in answer.links else ""
        assert ("next" in answer.links) == (answer.json()["next_cursor"] is not None)
    assert found == made[::-1]
    assert pages == 3


def test_a_page_that_is_just_full_is_the_last(door: Door) -> None:
    for _ in range(3):
        door.post_job()
    assert door.ask("GET", "/v1/jobs?limit=3").json()["next_cursor"] is None


def test_jobs_made_meanwhile_do_not_shift_the_pages(door: Door) -> None:
    made = [door.post_job().json()["id"] for _ in range(4)]
    first = door.ask("GET", "/v1/jobs?limit=2")
    door.post_job()
    second = door.ask("GET", first.links["next"]["url"])
    assert [job["id"] for job in first.json()["jobs"] + second.json()["jobs"]] == made[::-1]


def test_lists_are_filtered(door: Door) -> None:
    plain = door.post_job().json()["id"]
    later = door.post_job(delay="1h", queue="cpu").json()["id"]
    hook = door.post_job("webhook.deliver", payload={"url": "https://example.com/", "type": "a.b", "data": {}})

    def listed(**wanted: str) -> set[str]:
        return {job["id"] for job in door.ask("GET", "/v1/jobs", params=wanted).json()["jobs"]}

    assert listed(state="scheduled") == listed(queue="cpu") == {later}
    assert listed(task="webhook.deliver") == {hook.json()["id"]}
    assert listed(task="http.request", state="queued") == {plain}
    assert listed(schedule_id="01980000-0000-7000-8000-000000000000") == set()
    assert listed(task="a&b=c d%/\r\n") == listed(queue="é") == set()
    assert door.ask("GET", "/v1/jobs?task=%00").status_code == 422
    assert door.ask("GET", "/v1/jobs?queue=a%00").status_code == 422


def test_the_link_to_the_next_page_keeps_the_filter(door: Door) -> None:
    for _ in range(3):
        door.post_job(delay="1h")
    query = {"limit": "1", "state": "scheduled", "task": "http.request", "queue": "default"}
    url = httpx2.URL(door.ask("GET", "/v1/jobs", params=query).links["next"]["url"])
    assert url.params.items() >= query.items()
    assert door.ask("GET", f"/v1/jobs?state=queued&cursor={url.params['cursor']}").status_code == 422


# Cancelling and retrying


def test_a_job_that_waits_is_cancelled_at_once(door: Door) -> None:
    for fields in ({}, {"delay": "1h"}):
        job = door.post_job(**fields).json()
        assert door.ask("POST", f"/v1/jobs/{job['id']}/cancel").json()["state"] == "cancelled"
        refused = door.ask("POST", f"/v1/jobs/{job['id']}/cancel")
        assert refused.status_code == 409
        assert "cancelled" in refused.json()["detail"]


def test_a_job_that_runs_is_asked_to_give_way(door: Door) -> None:
    job = door.post_job().json()
    run(job)
    cancelled = door.ask("POST", f"/v1/jobs/{job['id']}/cancel").json()
    assert (cancelled["state"], cancelled["cancel_requested"]) == ("running", True)


def test_of_20_who_cancel_at_once_one_is_first(door: Door) -> None:
    job = door.post_job().json()
    answers = at_once(20, lambda _: door.ask("POST", f"/v1/jobs/{job['id']}/cancel"))
    assert statuses(answers) == {200: 1, 409: 19}


def test_a_dead_job_is_retried_with_its_history(door: Door, sent: list[Hint], clock: Clock) -> None:
    job = door.post_job(retry={"max_attempts": 2}).json()
    run(job, make.FAILURE)
    dead = door.ask("GET", f"/v1/jobs/{job['id']}").json()
    assert (dead["state"], dead["reason"]) == ("failed", "rejected")
    assert dead["attempts"][0]["error"]["message"] == "no such customer"
    clock.advance(60)
    retried = door.ask("POST", f"/v1/jobs/{job['id']}/retry")
    assert retried.status_code == 202
    assert (retried.json()["state"], retried.json()["reason"], retried.json()["finished_at"]) == ("queued", None, None)
    assert retried.json()["max_attempts"] == 3, "one was made before, two are to come"
    assert [str(hint.job_id) for hint in sent] == [job["id"]] * 2
    assert len(door.ask("GET", f"/v1/jobs/{job['id']}").json()["attempts"]) == 1


def test_only_a_job_that_ended_badly_is_retried(door: Door) -> None:
    waiting, done, running = (door.post_job().json() for _ in range(3))
    run(done, make.SUCCESS)
    run(running)
    for job in (waiting, done, running):
        assert door.ask("POST", f"/v1/jobs/{job['id']}/retry").status_code == 409
    door.ask("POST", f"/v1/jobs/{waiting['id']}/cancel")
    assert door.ask("POST", f"/v1/jobs/{waiting['id']}/retry").status_code == 202


def test_of_20_who_retry_at_once_one_is_first(door: Door, sent: list[Hint]) -> None:
    job = door.post_job().json()
    run(job, make.FAILURE)
    answers = at_once(20, lambda _: door.ask("POST", f"/v1/jobs/{job['id']}/retry"))
    assert statuses(answers) == {202: 1, 409: 19}
    assert len(sent) == 2


# Schedules


def schedule(door: Door, name: str = "nightly", **fields: Any) -> httpx2.Response:
    if not fields.keys() & {"cron", "every"}:
        fields["cron"] = "0 3 * * *"
    return door.ask("POST", "/v1/schedules", json={"name": name, "task": "http.request", "payload": CALL} | fields)


def test_a_schedule_is_made_read_listed_changed_and_deleted(door: Door, clock: Clock) -> None:
    made = schedule(door, zone="Europe/Berlin", tags=["a"])
    assert made.status_code == 201
    assert made.headers["location"] == "/v1/schedules/nightly"
    assert made.json()["next_at"] == "2026-01-16T02:00:00Z"
    assert door.ask("GET", "/v1/schedules/nightly").json() == made.json()
    schedule(door, "also")
    assert [each["name"] for each in door.ask("GET", "/v1/schedules").json()["schedules"]] == ["also", "nightly"]
    changed = door.ask(
        "PATCH", "/v1/schedules/nightly", json={"every": "1h", "priority": "high", "retry": {"max_attempts": 1}}
    )
    assert changed.json() == made.json() | {
        "cron": None, "every": "1h", "priority": "high", "next_at": "2026-01-15T13:00:00Z", "revision": 2,
        "retry": made.json()["retry"] | {"max_attempts": 1},
    }  # fmt: skip
    assert door.ask("GET", "/v1/schedules/nightly").json() == changed.json()
    assert door.ask("DELETE", "/v1/schedules/nightly").status_code == 204
    assert door.ask("GET", "/v1/schedules/nightly").status_code == 404
    assert door.ask("DELETE", "/v1/schedules/nightly").status_code == 404


def test_a_schedule_is_paused_and_resumed(door: Door, clock: Clock) -> None:
    schedule(door, every="1h")
    paused = door.ask("PATCH", "/v1/schedules/nightly", json={"paused": True}).json()
    assert (paused["paused"], paused["next_at"]) == (True, None)
    clock.advance(10 * HOUR)
    assert len(door.ask("GET", "/v1/schedules/nightly/preview").json()["times"]) == 5
    resumed = door.ask("PATCH", "/v1/schedules/nightly", json={"paused": False}).json()
    assert (resumed["paused"], resumed["next_at"]) == (False, "2026-01-15T23:00:00Z")


def test_the_next_due_times_are_shown(door: Door, clock: Clock) -> None:
    schedule(door, zone="Europe/Berlin")
    times = door.ask("GET", "/v1/schedules/nightly/preview?count=3").json()["times"]
    assert times == ["2026-01-16T02:00:00Z", "2026-01-17T02:00:00Z", "2026-01-18T02:00:00Z"]
    assert door.ask("GET", "/v1/schedules/nightly/preview?count=101").status_code == 422


def test_a_schedule_is_run_by_hand(door: Door, clock: Clock) -> None:
    payload = {"url": "https://example.com/", "json": {"at": "{{tick_at}}", "of": "{{schedule}}"}}
    made = schedule(door, payload=payload, queue="cpu").json()
    job = door.ask("POST", "/v1/schedules/nightly/run")
    assert job.status_code == 202
    whole = door.ask("GET", job.headers["location"]).json()
    assert whole["payload"]["json"] == {"at": "2026-01-15T12:00:00Z", "of": "nightly"}
    assert (whole["schedule_id"], whole["queue"]) == (made["id"], "cpu")
    listed = door.ask("GET", "/v1/jobs", params={"schedule_id": made["id"]}).json()["jobs"]
    assert [each["id"] for each in listed] == [whole["id"]]
    assert door.ask("GET", "/v1/schedules/nightly").json()["next_at"] == made["next_at"]


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"retry": None}, ["/retry"]),
        ({"priority": None}, ["/priority"]),
        ({"paused": None, "tags": None}, ["/paused", "/tags"]),
        ({"cron": None}, ["/cron"]),
        ({"cron": "* * * * *", "every": "1h"}, ["/cron"]),
        ({"zone": "Mars"}, ["/zone"]),
        ({"queue": "nothing"}, ["/queue"]),
        ({"payload": {"url": "{{nothing}}"}}, ["/payload"]),
        ({"payload": {}}, ["/payload/url"]),
        ({"payload": None}, ["/payload"]),
        ({"name": "other"}, ["/name"]),
        ({"every": 0.5}, ["/every"]),
    ],
)
def test_a_change_that_cannot_be_changes_nothing(change: dict[str, Any], pointers: list[str], door: Door) -> None:
    before = schedule(door).json()
    refused = door.ask("PATCH", "/v1/schedules/nightly", json=change)
    assert refused.status_code == 422
    assert [wrong["pointer"] for wrong in refused.json()["errors"]] == pointers
    assert door.ask("GET", "/v1/schedules/nightly").json() == before


def test_a_name_is_taken_once(door: Door) -> None:
    assert schedule(door).status_code == 201
    assert schedule(door).status_code == 409


def test_of_20_who_take_a_name_at_once_one_is_first(door: Door) -> None:
    assert statuses(at_once(20, lambda _: schedule(door))) == {201: 1, 409: 19}


def test_a_schedule_that_was_accepted_is_stored_although_one_beside_it_gave_up(door: Door) -> None:
    writes = door.app.state.ledger._writes = GroupCommit(1)
    busy, go = threading.Event(), threading.Event()
    writes.put(lambda _: (busy.set(), go.wait(20)))
    assert busy.wait(20)
    with ThreadPoolExecutor(1) as pool:
        accepted = pool.submit(schedule, door)
        wait_until(lambda: writes._waiting.qsize() == 1, 20, "the request to wait for its turn")
        late = writes.put(lambda session: (session.add(Queue(name="late")), setattr(late, "given_up", True)))
        go.set()
        assert accepted.result(20).status_code == 201
    assert door.ask("GET", "/v1/schedules/nightly").status_code == 200


# Queues


def lane(door: Door, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in door.ask("GET", "/v1/queues").json()["queues"] if each["name"] == name)
    return found


def test_a_queue_is_paused_and_resumed(door: Door, clock: Clock) -> None:
    door.post_job(delay="1h")
    assert lane(door, "default")["paused"] is False
    paused = door.ask("POST", "/v1/queues/default/pause").json()
    assert (paused["paused"], paused["paused_at"], paused["scheduled"]) == (True, "2026-01-15T12:00:00Z", 1)
    clock.advance(60)
    again = door.ask("POST", "/v1/queues/default/pause").json()
    assert again["paused_at"] == paused["paused_at"], "it says since when"
    assert lane(door, "default") == again
    assert lane(door, "cpu")["paused"] is False
    assert door.post_job().status_code == 202, "a paused queue takes jobs"
    for _ in range(2):
        assert door.ask("POST", "/v1/queues/default/resume").json()["paused"] is False
    assert lane(door, "default")["paused_at"] is None


def test_a_job_for_a_paused_queue_waits_without_a_hint(door: Door, sent: list[Hint]) -> None:
    door.ask("POST", "/v1/queues/cpu/pause")
    assert door.post_job(queue="cpu").json()["state"] == "scheduled"
    assert door.post_job().json()["state"] == "queued"
    assert len(sent) == 1
    assert lane(door, "cpu")["scheduled"] == 1


def test_of_20_who_pause_at_once_all_are_right(door: Door) -> None:
    assert statuses(at_once(20, lambda _: door.ask("POST", "/v1/queues/cpu/pause"))) == {200: 20}
