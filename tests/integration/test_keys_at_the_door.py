"""Keys over HTTP: made, rotated, ended; what a bounded key reaches, and what a blind one does not see."""

import json
from typing import Any

import httpx2
import pytest
from sqlalchemy import insert, select

from jobs import attempts, outcome
from jobs.model import Deed, LogLine
from jobs.states import Reason
from runtime.database import snapshot, transaction
from tasks import catalogue
from tests.clock import Clock
from tests.contract.door import Door
from tests.crowd import run

SECRET = "hunter2"
PAYLOAD = {"url": f"https://example.com/{SECRET}"}
ORDER = {"task": "http.request", "payload": PAYLOAD}


def made(door: Door, **given: Any) -> dict[str, Any]:
    answer = door.ask("POST", "/v1/keys", json={"name": "ci", **given})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def asks(door: Door, key: str, method: str, path: str, **given: Any) -> httpx2.Response:
    return door.ask(method, path, headers={"authorization": f"Bearer {key}"}, **given)


def test_a_key_is_made_used_and_ended(door: Door, clock: Clock) -> None:
    key = made(door, scope="read", lifetime="1h")
    assert asks(door, key["key"], "GET", "/v1/jobs").status_code == 200
    listed = door.ask("GET", "/v1/keys").json()["keys"]
    assert key["id"] in {each["id"] for each in listed}
    assert not any("key" in each or "digest" in each for each in listed)
    assert door.ask("DELETE", f"/v1/keys/{key['id']}").status_code == 204
    clock.advance(1)
    assert asks(door, key["key"], "GET", "/v1/jobs").status_code == 401
    assert door.ask("DELETE", f"/v1/keys/{key['id']}").status_code == 404
    assert key["id"] not in {each["id"] for each in door.ask("GET", "/v1/keys").json()["keys"]}
    assert door.ask("GET", f"/v1/keys/{key['id']}").json()["revoked_at"]


def test_while_a_rotation_overlaps_both_secrets_are_taken(door: Door, clock: Clock) -> None:
    first = made(door, scope="read")
    second = door.ask("POST", f"/v1/keys/{first['id']}/rotate", json={"overlap": "10m"}).json()
    assert second["id"] == first["id"]
    clock.advance(1)
    for key in (first, second):
        assert asks(door, key["key"], "GET", "/v1/jobs").status_code == 200
    clock.advance(600)
    assert asks(door, first["key"], "GET", "/v1/jobs").status_code == 401
    assert asks(door, second["key"], "GET", "/v1/jobs").status_code == 200
    third = door.ask("POST", f"/v1/keys/{first['id']}/rotate", json={"overlap": "0s"}).json()
    clock.advance(1)
    assert [asks(door, key["key"], "GET", "/v1/jobs").status_code for key in (second, third)] == [401, 200]


def test_an_ended_key_has_no_other_secret(door: Door, clock: Clock) -> None:
    key = made(door, scope="read", lifetime="1h")
    clock.advance(3600)
    assert door.ask("POST", f"/v1/keys/{key['id']}/rotate", json={}).status_code == 404


def test_what_is_done_to_keys_is_in_the_audit_log(door: Door) -> None:
    key = made(door, scope="read")
    door.ask("POST", f"/v1/keys/{key['id']}/rotate", json={})
    door.ask("DELETE", f"/v1/keys/{key['id']}")
    with snapshot() as session:
        deeds = session.scalars(select(Deed).where(Deed.about == key["id"]).order_by(Deed.id)).all()
    assert [deed.what for deed in deeds] == ["key.create", "key.rotate", "key.revoke"]
    assert key["key"].split("_", 2)[2] not in json.dumps([deed.detail for deed in deeds])


@pytest.mark.parametrize("given", [{"blind": True}, {"tasks": ["a*b"]}, {"queues": [""]}, {"scope": "all"}, {"quota": 0}])
def test_a_key_that_cannot_be_is_refused(door: Door, given: dict[str, Any]) -> None:
    assert door.ask("POST", "/v1/keys", json={"name": "ci", **given}).status_code == 422


def test_a_bounded_key_makes_and_meets_only_jobs_within_its_reach(door: Door, clock: Clock) -> None:
    key = made(door, scope="write", tasks=["http.*"], queues=["default"])["key"]
    assert asks(door, key, "POST", "/v1/jobs", json=ORDER).status_code == 202
    mail = {"task": "webhook.deliver", "payload": catalogue.find("webhook.deliver").example}
    for beyond in (mail, ORDER | {"queue": "cpu"}):
        assert asks(door, key, "POST", "/v1/jobs", json=beyond).status_code == 403
    results = asks(door, key, "POST", "/v1/jobs/bulk", json={"jobs": [ORDER, ORDER | {"queue": "cpu"}]}).json()["results"]
    assert [result["status"] for result in results] == [202, 403]
    other = door.post_job(queue="cpu").json()["id"]
    assert len(asks(door, key, "GET", "/v1/jobs").json()["jobs"]) == 2
    assert asks(door, key, "GET", "/v1/jobs/count").json()["count"] == 2
    assert [each["name"] for each in asks(door, key, "GET", "/v1/queues").json()["queues"]] == ["default"]
    for method, path in (
        ("GET", ""), ("GET", "/timeline"), ("GET", "/why"), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/retry"),
    ):  # fmt: skip
        assert asks(door, key, method, f"/v1/jobs/{other}{path}").status_code == 404
    assert asks(door, key, "PATCH", f"/v1/jobs/{other}", json={"priority": "low"}).status_code == 404
    assert asks(door, key, "POST", f"/v1/jobs/{other}/replay", json={}).status_code == 404


@pytest.mark.parametrize(
    "path", ["/v1/schedules", "/v1/events", "/v1/subscriptions", "/v1/bulk-actions", "/v1/endpoints", "/v1/sources"]
)
def test_a_bounded_key_meets_nothing_but_jobs(door: Door, path: str) -> None:
    key = made(door, scope="admin", tasks=["http.*"])["key"]
    assert asks(door, key, "GET", path).status_code == 403
    assert asks(door, key, "POST", path, json={}).status_code == 403


def test_a_bounded_admin_makes_no_key(door: Door) -> None:
    key = made(door, scope="admin", queues=["default"])["key"]
    assert asks(door, key, "POST", "/v1/keys", json={"name": "free"}).status_code == 403


def test_a_blind_key_is_shown_no_payload_no_result_and_of_errors_the_class(door: Door, clock: Clock) -> None:
    error = {"class": "Rejected", "message": SECRET, "traceback": SECRET, "detail": {"body": SECRET}}
    failed = door.post_job(payload=PAYLOAD, tags=["visible"]).json()
    claim = run(failed)
    step = json.dumps({"done": 1, "total": 2, "note": SECRET})
    lines = [{"level": "info", "message": SECRET}, {"level": "progress", "message": step}]
    with transaction() as session:
        rows = [{"job_id": claim.job_id, "epoch": 1, "at": clock.now(), **line} for line in lines]
        session.execute(insert(LogLine), rows)
        attempts.settle(session, claim, outcome.Failed(Reason.REJECTED, error), clock.now())
    done = door.post_job(payload=PAYLOAD).json()
    run(done, outcome.Succeeded({"answer": SECRET}))
    door.ask("POST", "/v1/events", json={"type": "order.paid", "data": {"card": SECRET}})
    rule = {"name": "r", "types": ["x"], "task": "http.request", "payload": PAYLOAD}
    assert door.ask("POST", "/v1/subscriptions", json=rule).status_code in {200, 201}
    nightly = {"name": "n", "task": "http.request", "payload": PAYLOAD, "every": "1h"}
    assert door.ask("POST", "/v1/schedules", json=nightly).status_code == 201
    event = door.ask("GET", "/v1/events").json()["events"][0]["id"]
    key = made(door, scope="read", blind=True)["key"]
    paths = [
        "/v1/jobs", "/v1/jobs?fields=id,payload,result,error", "/v1/events", f"/v1/events/{event}", "/v1/subscriptions",
        "/v1/subscriptions/r", "/v1/schedules", "/v1/schedules/n", "/v1/audit", "/v1/tasks",
        *(f"/v1/jobs/{job['id']}{part}" for job in (failed, done) for part in ("", "/timeline", "/why", "/events")),
    ]  # fmt: skip
    why = {f"/v1/jobs/{job['id']}/why" for job in (failed, done)}
    shows_none = {"/v1/audit", "/v1/tasks", f"/v1/jobs/{done['id']}/timeline", *why}
    for path in paths:
        seen = asks(door, key, "GET", path)
        assert seen.status_code in ({403} if path == "/v1/audit" else {200}), path
        assert SECRET not in seen.text, path
        seen_by_all = door.ask("GET", path).text
        assert SECRET in seen_by_all or path in shows_none, f"nothing was hidden of {path}"
    shown = asks(door, key, "GET", f"/v1/jobs/{failed['id']}").json()
    assert (shown["error"], shown["attempts"][0]["error"]) == ({"class": "Rejected"}, {"class": "Rejected"})
    assert shown["tags"] == ["visible"]


def test_a_blind_key_cannot_guess_by_searching(door: Door) -> None:
    door.post_job(payload=PAYLOAD)
    key = made(door, scope="read", blind=True)["key"]
    for path in ("/v1/jobs", "/v1/jobs/count"):
        assert asks(door, key, "GET", f"{path}?text={SECRET}").status_code == 403
    trial = {"type": "order.paid", "data": {}}
    assert asks(door, key, "POST", "/v1/events/test", json=trial).status_code == 403
