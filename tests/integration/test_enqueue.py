"""The ways in through the door: many at once, unique ones, and answers that wait; on both databases."""

import json
import threading
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from api.bulk import CHUNK
from jobs.order import OnConflict
from runtime.broker import Hint
from tests import make
from tests.clock import Clock
from tests.contract.door import Door
from tests.crowd import at_once, run, statuses
from tests.servers import wait_until

GOOD = {"task": "http.request", "payload": {"url": "https://example.com/"}}
NDJSON = {"content-type": "application/x-ndjson"}


def many(door: Door, jobs: list[Any], key: str | None = None, **params: Any) -> httpx2.Response:
    headers = {"idempotency-key": key} if key else {}
    return door.ask("POST", "/v1/jobs/bulk", json={"jobs": jobs}, params=params, headers=headers)


def numbered(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [GOOD | {"metadata": {"number": str(number)}} | fields for number in range(count)]


def unique(door: Door, on_conflict: str = "return", key: str = "customer-42", **fields: Any) -> httpx2.Response:
    wish = {"key": key, "on_conflict": on_conflict} | fields.pop("wish", {})
    return door.post_job(unique=wish, **fields)


def shown(door: Door, answer: httpx2.Response) -> dict[str, Any]:
    found: dict[str, Any] = door.ask("GET", f"/v1/jobs/{answer.json()['id']}").json()
    return found


# Many at once


def test_each_job_of_many_is_made_and_hinted_in_the_order_of_the_request(door: Door, sent: list[Hint]) -> None:
    answer = many(door, numbered(CHUNK + 3))
    assert answer.status_code == 202
    told = answer.json()
    assert (told["accepted"], told["refused"], len(told["results"])) == (CHUNK + 3, 0, CHUNK + 3)
    ids = [result["id"] for result in told["results"]]
    assert ids == sorted(ids)
    assert door.ask("GET", f"/v1/jobs/{ids[-1]}").json()["metadata"] == {"number": str(CHUNK + 2)}
    assert [str(hint.job_id) for hint in sent] == ids[: len(sent)]


def test_what_is_wrong_with_one_is_said_in_its_place_and_the_others_are_made(door: Door) -> None:
    wrong = [GOOD, GOOD | {"task": "no.such"}, GOOD | {"payload": {}}, GOOD | {"tags": [""]}, "text", None, GOOD]
    answer = many(door, wrong)
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [result["status"] for result in results] == [202, 422, 422, 422, 422, 422, 202]
    pointers = [result["problem"]["errors"][0]["pointer"] for result in results if "problem" in result]
    assert pointers == ["/task", "/payload/url", "/tags/0", "", ""]
    assert {result["problem"]["request_id"] for result in results if "problem" in result} == {answer.headers["x-request-id"]}


def test_what_is_wrong_is_said_in_its_place_behind_what_is_stored_first(door: Door) -> None:
    wrong = {CHUNK - 1, CHUNK, 2 * CHUNK}
    jobs = [job | {"priority": "none"} if number in wrong else job for number, job in enumerate(numbered(2 * CHUNK + 1))]
    results = many(door, jobs).json()["results"]
    assert {number for number, result in enumerate(results) if result["status"] == 422} == wrong
    assert {result["status"] for number, result in enumerate(results) if number not in wrong} == {202}


def test_a_line_that_cannot_be_read_harms_no_other(door: Door) -> None:
    good = json.dumps(GOOD).encode()
    body = b"\n".join([good, b'{"task": ', b"", b'{"a": 1, "a": 2}', b"\xff", good, b""])
    results = door.ask("POST", "/v1/jobs/bulk", content=body, headers=NDJSON).json()["results"]
    assert [result["status"] for result in results] == [202, 400, 400, 400, 202]


def test_one_that_is_too_large_is_refused_alone(door: Door) -> None:
    large = GOOD | {"payload": {"url": "https://example.com/", "json": "x" * 300_000}}
    assert [result["status"] for result in many(door, [GOOD, large, GOOD]).json()["results"]] == [202, 413, 202]
    lines = "\n".join(map(json.dumps, [GOOD, large, GOOD]))
    answer = door.ask("POST", "/v1/jobs/bulk", content=lines, headers=NDJSON)
    assert [result["status"] for result in answer.json()["results"]] == [202, 413, 202]


@pytest.mark.parametrize("body", [{"jobs": []}, {"jobs": {}}, {}, [GOOD], {"jobs": [GOOD], "more": 1}])
def test_a_body_that_holds_no_list_of_jobs_is_refused(door: Door, body: Any) -> None:
    assert door.ask("POST", "/v1/jobs/bulk", json=body).status_code == 422


def test_more_than_the_most_and_what_is_no_json_are_refused(door: Door) -> None:
    assert door.ask("POST", "/v1/jobs/bulk", content=b"1\n" * 10_001, headers=NDJSON).status_code == 422
    csv = {"content-type": "text/csv"}
    assert door.ask("POST", "/v1/jobs/bulk", content=b"a,b", headers=csv).status_code == 415


def test_all_or_nothing_makes_nothing_if_one_is_wrong(door: Door) -> None:
    refused = many(door, [GOOD, GOOD, GOOD | {"payload": {}}], atomic=True)
    assert refused.status_code == 422
    assert [wrong["pointer"] for wrong in refused.json()["errors"]] == ["/jobs/2/payload/url"]
    assert door.ask("GET", "/v1/jobs").json()["jobs"] == []
    assert many(door, [GOOD, GOOD], atomic=True).json()["accepted"] == 2


def test_all_or_nothing_makes_nothing_if_a_place_is_held(door: Door, sent: list[Hint]) -> None:
    unique(door)
    other = GOOD | {"unique": {"key": "customer-42", "on_conflict": "reject"}}
    assert many(door, [GOOD, other], atomic=True).status_code == 409
    assert (len(sent), len(door.ask("GET", "/v1/jobs").json()["jobs"])) == (1, 1)


@pytest.mark.parametrize("atomic", [False, True])
def test_many_sent_again_with_their_key_are_the_same_jobs(door: Door, atomic: bool, sent: list[Hint]) -> None:
    first = many(door, numbered(5), "k", atomic=atomic).json()["results"]
    again = many(door, numbered(5), "k", atomic=atomic).json()["results"]
    assert [result["status"] for result in again] == [200] * 5
    assert [result["id"] for result in again] == [result["id"] for result in first]
    assert len(sent) == 5


def test_a_repeat_makes_only_what_was_not_made(door: Door) -> None:
    first = many(door, [*numbered(2), GOOD | {"task": "no.such"}], "k" * 255).json()["results"]
    again = many(door, numbered(3), "k" * 255).json()["results"]
    assert [result["status"] for result in again] == [200, 200, 202]
    assert [result["id"] for result in again[:2]] == [result["id"] for result in first[:2]]


def test_another_job_in_the_place_of_a_repeat_is_refused(door: Door) -> None:
    many(door, numbered(2), "k")
    assert [result["status"] for result in many(door, numbered(2)[::-1], "k").json()["results"]] == [422, 422]
    assert many(door, numbered(2)[::-1], "k", atomic=True).status_code == 422
    assert door.post_job(headers={"idempotency-key": "k"}).status_code == 202, "a key of one is no key of many"


def test_unique_jobs_among_many_find_one_another(door: Door) -> None:
    wish = {"unique": {"key": "a"}}
    results = many(door, [GOOD | wish, GOOD, GOOD | wish, GOOD | {"unique": {"key": "a", "on_conflict": "reject"}}])
    assert [result["status"] for result in results.json()["results"]] == [202, 202, 200, 409]
    ids = [result.get("id") for result in results.json()["results"]]
    assert ids[0] == ids[2]


# Unique jobs


def test_a_second_job_in_a_held_place_is_the_first(door: Door, sent: list[Hint]) -> None:
    first, second = unique(door), unique(door, payload={"url": "https://example.org/"})
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["id"] == second.json()["id"]
    assert shown(door, second)["payload"] == GOOD["payload"], "it stays as it is"
    assert len(sent) == 1


def test_a_place_is_of_its_task_key_and_tenant(door: Door) -> None:
    unique(door)
    assert unique(door, key="customer-43").status_code == 202
    hook = {"url": "https://example.com/", "type": "a.b", "data": {}}
    assert unique(door, task="webhook.deliver", payload=hook).status_code == 202


def test_without_a_key_the_payload_is_it(door: Door) -> None:
    def ask(number: int) -> int:
        return door.post_job(payload={"url": f"https://example.com/{number}"}, unique={}).status_code

    assert [ask(1), ask(2), ask(1)] == [202, 202, 200]


def test_reject_says_which_job_is_there(door: Door) -> None:
    first = unique(door)
    refused = unique(door, "reject")
    assert refused.status_code == 409
    assert refused.json()["type"] == "/problems/not-unique"
    assert refused.json()["job_id"] == first.json()["id"]


@pytest.mark.parametrize(
    ("on_conflict", "path", "delay"), [("replace", "b", 10), ("extend", "a", 60), ("debounce", "b", 60)]
)
def test_the_job_that_waits_takes_what_is_asked(door: Door, clock: Clock, on_conflict: str, path: str, delay: int) -> None:
    first = unique(door, payload={"url": "https://example.com/a"}, delay="10s")
    second = unique(door, on_conflict, payload={"url": "https://example.com/b"}, delay="60s")
    assert (second.status_code, second.json()["id"]) == (200, first.json()["id"])
    found = shown(door, first)
    assert found["payload"]["url"] == f"https://example.com/{path}"
    assert found["run_at"] == (clock.now() + timedelta(seconds=delay)).isoformat().replace("+00:00", "Z")


def test_a_job_with_a_hint_out_is_changed_too_and_the_hint_turns_stale(door: Door, sent: list[Hint]) -> None:
    first = unique(door).json()
    assert first["state"] == "queued"
    changed = unique(door, "debounce", delay="10m").json()
    assert (changed["id"], changed["state"]) == (first["id"], "scheduled")


@pytest.mark.parametrize("on_conflict", ["replace", "extend", "debounce"])
def test_a_job_that_has_started_is_not_changed(door: Door, on_conflict: str) -> None:
    first = unique(door).json()
    run(first)
    assert unique(door, on_conflict).status_code == 409
    run_again = unique(door).json()
    assert run_again["id"] == first["id"]


def test_a_place_is_held_as_long_as_its_scope_says(door: Door) -> None:
    waiting, open_ = {"wish": {"scope": "waiting"}, "key": "w"}, {"wish": {"scope": "open"}, "key": "o"}
    first = {scope: unique(door, **wish).json() for scope, wish in (("waiting", waiting), ("open", open_))}
    claim = run(first["waiting"])
    assert claim.epoch == 1
    assert unique(door, **waiting).status_code == 202, "it has started"
    run(first["open"], make.AGAIN)
    assert unique(door, **open_).status_code == 200, "it waits for its next attempt"
    done = unique(door, key="done").json()
    run(done, make.SUCCESS)
    assert unique(door, key="done").status_code == 202


def test_a_window_is_counted_from_acceptance_whatever_becomes_of_the_job(door: Door, clock: Clock) -> None:
    window = {"wish": {"scope": "window", "window": "1h"}}
    first = unique(door, **window).json()
    run(first, make.SUCCESS)
    clock.advance(timedelta(minutes=59))
    assert unique(door, **window).json()["id"] == first["id"]
    clock.advance(timedelta(minutes=1))
    assert unique(door, **window).status_code == 202


@pytest.mark.parametrize("wish", [{"scope": "window"}, {"window": "1h"}, {"scope": "open", "window": "1h"}, {"key": ""}])
def test_a_wish_that_makes_no_sense_is_refused(door: Door, wish: dict[str, Any]) -> None:
    assert door.post_job(unique=wish).status_code == 422


@pytest.mark.parametrize("on_conflict", list(OnConflict))
def test_of_20_at_once_one_takes_the_place(door: Door, on_conflict: str, sent: list[Hint]) -> None:
    found = statuses(at_once(20, lambda _: unique(door, on_conflict, delay="1h")))
    assert found == {202: 1, (409 if on_conflict == "reject" else 200): 19}


def test_a_repeat_of_a_unique_request_is_answered_with_the_job_it_found(door: Door) -> None:
    first = unique(door)
    keyed = {"idempotency-key": "k"}
    assert unique(door, headers=keyed).json()["id"] == first.json()["id"]
    again = unique(door, headers=keyed)
    assert (again.json()["id"], again.headers["idempotent-replayed"]) == (first.json()["id"], "true")


# Times


def test_a_ttl_counts_from_when_the_job_may_run(door: Door, clock: Clock) -> None:
    made = door.post_job(delay="1h", ttl="10m").json()
    assert made["expires_at"] == (clock.now() + timedelta(minutes=70)).isoformat().replace("+00:00", "Z")
    assert door.post_job(ttl="0s").status_code == 422
    assert door.post_job(ttl="1h", expires_at="2026-03-01T00:00:00Z").status_code == 422


# Waiting


def test_an_answer_waits_until_the_job_is_final(door: Door) -> None:
    def work() -> None:
        wait_until(lambda: door.ask("GET", "/v1/jobs").json()["jobs"], 10, "the job")
        run(door.ask("GET", "/v1/jobs").json()["jobs"][0], make.SUCCESS)

    worker = threading.Thread(target=work)
    worker.start()
    answer = door.post_job(headers={"prefer": "respond-async, wait=15"})
    worker.join()
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["result"]) == ("succeeded", {"ok": True})
    assert answer.headers["preference-applied"] == "wait=15"
    door.jobs_made += 1


def test_an_answer_waits_no_longer_than_asked(door: Door) -> None:
    answer = door.post_job(headers={"prefer": "wait=1"})
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"


@pytest.mark.parametrize("prefer", ["wait", "wait=", "wait=-1", "wait=x", "wait=1.5", "return=minimal", "await=5", ""])
def test_a_preference_that_is_not_understood_is_ignored(door: Door, prefer: str) -> None:
    answer = door.post_job(headers={"prefer": prefer})
    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers


def test_reading_a_job_can_wait_for_its_end_too(door: Door) -> None:
    made = door.post_job().json()
    path, wait = f"/v1/jobs/{made['id']}", {"prefer": "wait=1"}
    assert door.ask("GET", path, headers=wait).json()["state"] == "queued"
    run(made, make.FAILURE)
    whole = door.ask("GET", path, headers=wait | {"prefer": "wait=30"})
    assert (whole.json()["state"], len(whole.json()["attempts"])) == ("failed", 1)
