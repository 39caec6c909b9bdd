"""What people do to jobs: ask why one waits, change it, replay it, do something to many, and be noted in the audit log."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import Engine, func, select

from jobs import bulk_actions, liveness
from jobs.model import BulkAction, Job
from jobs.states import State
from runtime import clock as real_clock
from runtime.broker import Hint
from runtime.database import snapshot, transaction
from scheduler import bulk
from tests import make, plans
from tests.clock import Clock
from tests.contract.door import Door
from tests.crowd import run

MERGE = {"content-type": "application/merge-patch+json"}


def why(door: Door, job: dict[str, Any]) -> list[dict[str, Any]]:
    causes: list[dict[str, Any]] = door.ask("GET", f"/v1/jobs/{job['id']}/why").json()["causes"]
    return causes


def kinds(door: Door, job: dict[str, Any]) -> list[str]:
    return [cause["kind"] for cause in why(door, job)]


def change(door: Door, job: dict[str, Any], **given: Any) -> httpx2.Response:
    return door.ask("PATCH", f"/v1/jobs/{job['id']}", json=given)


def replay(door: Door, job: dict[str, Any], patch: Any) -> httpx2.Response:
    return door.ask("POST", f"/v1/jobs/{job['id']}/replay", json=patch, headers=MERGE)


def iso(door: Door, clock: Clock, span: timedelta) -> str:
    return (clock.now() + span).isoformat().replace("+00:00", "Z")


# Why


def test_a_job_tells_what_it_waits_for_and_until_when(door: Door, clock: Clock) -> None:
    with transaction() as session:
        make.worker(session)
    later = door.post_job(delay="1h").json()
    (cause,) = why(door, later)
    assert (cause["kind"], cause["until"]) == ("time", iso(door, clock, timedelta(hours=1)))
    hinted = door.post_job().json()
    assert (kinds(door, hinted), why(door, hinted)[0]["ahead"]) == (["hint"], 0)
    failed_once = door.post_job().json()
    run(failed_once, make.AGAIN)
    (cause,) = why(door, failed_once)
    assert (cause["kind"], cause["until"]) == ("retry", iso(door, clock, timedelta(seconds=30)))
    told = door.post_job().json()
    run(told, make.LATER)
    (cause,) = why(door, told)
    assert (cause["kind"], cause["detail"]) == ("told", "It was put off: the account is at its rate limit.")
    running = door.post_job().json()
    run(running)
    assert kinds(door, running) == ["running"]
    run(done := door.post_job().json(), make.FAILURE)
    assert why(door, done) == [
        {"kind": "final", "detail": "It is failed (rejected): it waits for nothing.", "until": None, "ahead": None}
    ]


def test_a_queue_without_worker_or_paused_is_a_cause(door: Door) -> None:
    job = door.post_job(queue="cpu").json()
    assert kinds(door, job) == ["no_worker", "hint"]
    door.ask("POST", "/v1/queues/cpu/pause")
    assert kinds(door, job)[:2] == ["paused", "no_worker"]
    with transaction() as session:
        liveness.register(session, 1, "prefork", ["cpu"], 1)
    assert kinds(door, job) == ["paused", "hint"]


def test_a_job_in_the_backlog_knows_how_many_go_first(door: Door) -> None:
    door.ask("POST", "/v1/queues/default/pause")
    with make.no_room():
        jobs = [door.post_job(priority=priority).json() for priority in ("normal", "normal", "high", "low", "normal")]
    ahead = [why(door, job)[-1]["ahead"] for job in jobs]
    assert ahead == [1, 2, 0, 4, 3]


# Change and replay


def test_a_job_that_waits_gets_another_time_and_priority(door: Door, clock: Clock, sent: list[Hint]) -> None:
    job = door.post_job(delay="1h").json()
    changed = change(door, job, delay="2h", priority="high").json()
    assert (changed["run_at"], changed["priority"]) == (iso(door, clock, timedelta(hours=2)), "high")
    assert sent == []
    now = change(door, job, delay="0s").json()
    assert (now["state"], [str(hint.job_id) for hint in sent]) == ("queued", [job["id"]])


def test_a_hinted_job_gets_another_priority_and_another_hint(door: Door, sent: list[Hint]) -> None:
    job = door.post_job().json()
    assert change(door, job, priority="critical").json()["state"] == "queued"
    assert [hint.priority for hint in sent] == [1, 3]
    assert change(door, job, delay="1h").json()["state"] == "scheduled"


@pytest.mark.parametrize("given", [{}, {"delay": "1s", "run_at": "2026-02-01T00:00:00Z"}, {"queue": "cpu"}, {"priority": 1}])
def test_a_change_that_says_nothing_or_too_much_is_refused(door: Door, given: dict[str, Any]) -> None:
    assert change(door, door.post_job().json(), **given).status_code == 422


def test_what_does_not_wait_is_not_changed(door: Door) -> None:
    job = door.post_job().json()
    run(job)
    assert change(door, job, priority="low").status_code == 409


def test_a_replay_is_a_new_job_with_an_edited_payload_and_the_old_one_stays(door: Door) -> None:
    payload = {"method": "PUT", "url": "https://example.com/", "json": {"a": 1, "b": {"c": 2, "d": 3}}}
    old = door.post_job(payload=payload, tags=["t"], metadata={"k": "v"}, priority="high", timeout="9s").json()
    assert replay(door, old, {}).status_code == 409
    run(old, make.FAILURE)
    made = replay(door, old, {"url": "https://example.org/", "json": {"a": None, "b": {"c": 9}}, "method": None})
    assert made.status_code == 202
    new = door.ask("GET", made.headers["location"]).json()
    assert new["payload"] == {"url": "https://example.org/", "json": {"b": {"c": 9, "d": 3}}}
    assert (new["replay_of"], new["tags"], new["metadata"], new["priority"], new["timeout"]) == (
        old["id"], ["t"], {"k": "v"}, "high", "9s"
    )  # fmt: skip
    kept = door.ask("GET", f"/v1/jobs/{old['id']}").json()
    assert (kept["state"], kept["payload"]) == ("failed", payload)


@pytest.mark.parametrize("patch", [{"url": None}, {"url": 1}, [], "text", None, {"more": 1}])
def test_a_replay_that_its_task_would_not_take_is_refused(door: Door, patch: Any) -> None:
    old = door.post_job().json()
    run(old, make.FAILURE)
    assert replay(door, old, patch).status_code == 422


# Many at once


def dead(count: int, **fields: Any) -> list[UUID]:
    with transaction() as session:
        worker = make.worker(session)
        return [make.job(session, State.FAILED, worker, **fields).id for _ in range(count)]


def begin(door: Door, **given: Any) -> dict[str, Any]:
    answer = door.ask("POST", "/v1/bulk-actions", json=given)
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    assert door.ask("GET", answer.headers["location"]).json() == made
    return made


def look(door: Door, action: dict[str, Any]) -> tuple[str, int, int]:
    found = door.ask("GET", f"/v1/bulk-actions/{action['id']}").json()
    return found["state"], found["done"], found["skipped"]


def step(action: dict[str, Any]) -> bool:
    with transaction() as session:
        return bulk_actions.step(session, UUID(action["id"]), real_clock.now())


def count(**values: Any) -> int:
    query = select(func.count()).select_from(Job).where(*(getattr(Job, name) == value for name, value in values.items()))
    with snapshot() as session:
        return session.scalars(query).one()


@pytest.fixture
def ledger_door(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A door whose ledger is also filled from behind."""
    monkeypatch.setattr(bulk, "SLICE", 60.0)  # a machine's disk may rest for longer than one look of a scheduler may take
    with Door() as opened:
        yield opened


def test_a_preview_counts_and_does_nothing(ledger_door: Door) -> None:
    dead(3, task="mail.send")
    dead(2)
    given = {"verb": "retry", "filter": {"task": "mail.send"}}
    answer = ledger_door.ask("POST", "/v1/bulk-actions?preview=true", json=given)
    assert (answer.status_code, answer.json()) == (200, {"count": 3, "exact": True})
    assert ledger_door.ask("GET", "/v1/bulk-actions").json() == {"actions": []}


def test_all_dead_letters_of_a_filter_are_retried_and_no_others(ledger_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_actions, "BATCH", 4)
    dead(10, task="mail.send")
    others = dead(3)
    action = begin(ledger_door, verb="retry", filter={"task": "mail.send"})
    assert action["expected"] == 10
    later = dead(2, task="mail.send")
    bulk.act()
    assert look(ledger_door, action) == ("finished", 10, 0)
    assert count(state=State.SCHEDULED, attempt=1, budget_from=1) == 10
    with snapshot() as session:
        for job_id in others + later:
            found = session.get(Job, job_id)
            assert found is not None
            assert found.state is State.FAILED, "of another task, or accepted after the action was"


def test_an_action_aborted_half_way_and_resumed_meets_each_job_once(
    ledger_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_actions, "BATCH", 7)
    dead(30)
    action = begin(ledger_door, verb="retry")
    path = f"/v1/bulk-actions/{action['id']}"
    assert [step(action), step(action)] == [True, True]
    assert ledger_door.ask("POST", f"{path}/abort").json()["state"] == "aborted"
    assert not step(action)
    assert look(ledger_door, action) == ("aborted", 14, 0)
    assert ledger_door.ask("POST", f"{path}/abort").status_code == 409
    assert ledger_door.ask("POST", f"{path}/resume").json()["state"] == "running"
    bulk.act()
    assert look(ledger_door, action) == ("finished", 30, 0)
    assert ledger_door.ask("POST", f"{path}/resume").status_code == 409
    assert count(state=State.SCHEDULED) == 30


def test_several_schedulers_meet_each_job_once(ledger_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_actions, "BATCH", 3)
    dead(40)
    action = begin(ledger_door, verb="retry")
    together = Barrier(4)

    def work(_: int) -> None:
        together.wait(10)
        while look(ledger_door, action)[0] == "running":
            step(action)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert look(ledger_door, action) == ("finished", 40, 0)
    with snapshot() as session:
        assert set(session.scalars(select(Job.budget_from))) == {1}


def test_a_rate_holds_an_action_back(ledger_door: Door, clock: Clock) -> None:
    dead(25)
    action = begin(ledger_door, verb="retry", rate=10)
    for passed, done in ((0, 10), (0.5, 10), (0.5, 20), (1, 25)):
        clock.advance(passed)
        bulk.act()
        assert look(ledger_door, action)[1] == done


def test_what_has_moved_meanwhile_is_skipped(ledger_door: Door) -> None:
    jobs = dead(5)
    action = begin(ledger_door, verb="cancel", filter={"task": "test.echo"})
    assert step(action) is False
    assert look(ledger_door, action) == ("finished", 0, 5)
    assert count(state=State.FAILED) == len(jobs)


@pytest.mark.parametrize(
    ("given", "check"),
    [
        ({"verb": "cancel"}, {"state": State.CANCELLED}),
        ({"verb": "prioritise", "priority": "critical"}, {"priority": 3, "state": State.SCHEDULED}),
        ({"verb": "reschedule", "run_at": "2027-01-01T00:00:00Z"}, {"state": State.SCHEDULED, "epoch": 0}),
    ],
)
def test_each_verb_does_what_it_says(ledger_door: Door, given: dict[str, Any], check: dict[str, Any]) -> None:
    with transaction() as session:
        for state in (State.SCHEDULED, State.QUEUED):
            make.job(session, state, tags=["a"])
    action = begin(ledger_door, **given, filter={"tags": ["a"]})
    bulk.act()
    assert look(ledger_door, action) == ("finished", 2, 0)
    assert count(**check) == 2


@pytest.mark.parametrize(
    "given",
    [{"verb": "cancel"}, {"verb": "burn", "filter": {"task": "a"}}, {"verb": "prioritise", "filter": {"task": "a"}},
     {"verb": "reschedule", "filter": {"task": "a"}}, {"verb": "retry", "priority": "low"}, {"verb": "retry", "rate": 0},
     {"verb": "cancel", "filter": {"tasks": "a"}}, {"verb": "cancel", "filter": {"task": "a"}, "delay": "1s"}],
)  # fmt: skip
def test_an_action_that_is_not_clear_is_refused(ledger_door: Door, given: dict[str, Any]) -> None:
    assert ledger_door.ask("POST", "/v1/bulk-actions", json=given).status_code == 422


def test_an_action_is_found_on_an_index(ledger: Engine, ledger_door: Door) -> None:
    dead(5)
    action = begin(ledger_door, verb="retry")
    with plans.watched(ledger) as sent:
        bulk_actions.running(real_clock.now())
        step(action)
        look(ledger_door, action)
        ledger_door.ask("GET", "/v1/bulk-actions")
        ledger_door.ask("GET", f"/v1/audit?about={action['id']}")
        ledger_door.ask("GET", "/v1/audit")
    for each in (each for each in sent if each.statement.startswith("SELECT") and "api_keys" not in each.statement):
        assert plans.scanned(ledger, each) == set(), each.statement
    assert sum(BulkAction.__tablename__ in each.statement for each in sent) >= 4


# Audit


def test_each_act_is_noted_with_who_did_it_and_in_which_request(door: Door) -> None:
    job = door.post_job().json()
    change(door, job, priority="low")
    path = f"/v1/jobs/{job['id']}"
    asked: Callable[..., httpx2.Response] = door.ask
    asked("POST", f"{path}/cancel", headers={"x-request-id": "r-7"})
    asked("POST", f"{path}/retry")
    deeds = door.ask("GET", f"/v1/audit?about={job['id']}").json()["deeds"]
    assert [deed["what"] for deed in deeds] == ["job.retry", "job.cancel", "job.change"]
    assert deeds[1]["request_id"] == "r-7"
    assert deeds[2]["detail"] == {"priority": 0}
    assert {deed["who"] for deed in deeds} == {door.keys["admin"].split("_")[1]}
    assert door.ask("GET", f"/v1/audit?limit=1&before={deeds[0]['id']}").json()["deeds"] == [deeds[1]]
    moments = door.ask("GET", f"{path}/timeline").json()["moments"]
    assert [moment["what"] for moment in moments[:4]] == ["accepted", "deed", "deed", "deed"]


def test_what_is_refused_is_not_noted(door: Door) -> None:
    job = door.post_job().json()
    run(job, make.SUCCESS)
    assert door.ask("POST", f"/v1/jobs/{job['id']}/cancel").status_code == 409
    assert door.ask("GET", "/v1/audit").json() == {"deeds": []}


def test_only_an_admin_reads_the_audit_log(door: Door) -> None:
    assert door.ask("GET", "/v1/audit", headers=door.authority("write")).status_code == 403
