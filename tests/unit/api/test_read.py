"""Reading through the door: searches, fields, counts, tags of what was read, and what happened to a job."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest

from tests import make
from tests.contract.door import Door
from tests.crowd import run

CALL = {"url": "https://example.com/a"}


@pytest.fixture(autouse=True)
def emptied(door: Door) -> None:
    door.forget()


def ids(door: Door, query: str) -> list[str]:
    answer = door.ask("GET", f"/v1/jobs?{query}")
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


def test_a_search_finds_what_has_all_that_is_asked(door: Door) -> None:
    mine = door.post_job(tags=["a", "b c"], metadata={"customer": "4=2"}, queue="cpu").json()
    door.post_job(tags=["a"])
    failed = door.post_job().json()
    run(failed, make.FAILURE)
    assert ids(door, "tags=a&tags=b%20c") == ids(door, "metadata=customer=4=2&queue=cpu") == [mine["id"]]
    assert ids(door, "error_class=Rejected") == ids(door, "text=no+such+customer") == [failed["id"]]
    assert ids(door, f"created_after={mine['created_at']}")[-1] == mine["id"]
    assert ids(door, "created_before=2020-01-01T00:00:00Z") == []
    for query in ("state=failed&queue=cpu", "tags=a&tags=x", "text=nothing", "metadata=customer=4"):
        assert ids(door, query) == []


@pytest.mark.parametrize(
    "query",
    ["stat=failed", "state=none", "metadata=customer", "metadata==1", "created_after=now", "text=", "limit=0", "fields=no",
     "tags=", "cursor=x", "created_after=2020-01-01"],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(door: Door, query: str) -> None:
    assert door.ask("GET", f"/v1/jobs?{query}").status_code == 422


def test_the_next_page_is_of_the_same_search(door: Door) -> None:
    made = [door.post_job(tags=["ü&="], metadata={"k": "v w"}).json()["id"] for _ in range(3)]
    door.post_job()
    answer = door.ask("GET", f"/v1/jobs?tags={quote('ü&=')}&metadata=k=v%20w&limit=2&fields=id")
    assert [job["id"] for job in answer.json()["jobs"]] == made[:0:-1]
    assert door.ask("GET", answer.links["next"]["url"]).json() == {"jobs": [{"id": made[0]}], "next_cursor": None}


def test_only_the_fields_that_are_asked_for_are_shown(door: Door) -> None:
    made = door.post_job(payload=CALL).json()
    assert "payload" not in door.ask("GET", "/v1/jobs").json()["jobs"][0]
    sparse = door.ask("GET", "/v1/jobs?fields=id,%20payload,state").json()["jobs"]
    assert sparse == [{"id": made["id"], "payload": CALL, "state": made["state"]}]


def test_counting(door: Door) -> None:
    for number in range(3):
        door.post_job(tags=["a"] if number else [])
    assert door.ask("GET", "/v1/jobs/count").json() == {"count": 3, "exact": True}
    assert door.ask("GET", "/v1/jobs/count?tags=a").json() == {"count": 2, "exact": True}


def test_who_reads_again_is_told_that_nothing_has_changed(door: Door) -> None:
    made = door.post_job().json()
    path = f"/v1/jobs/{made['id']}"
    first = door.ask("GET", path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        again = door.ask("GET", path, headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), known
    run(made, make.SUCCESS)
    changed = door.ask("GET", path, headers={"if-none-match": tag})
    assert (changed.status_code, changed.json()["state"]) == (200, "succeeded")
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/queues", "/v1/schedules", "/v1/jobs"])
def test_every_list_has_a_tag(door: Door, path: str) -> None:
    tag = door.ask("GET", path).headers["etag"]
    assert door.ask("GET", path, headers={"if-none-match": tag}).status_code == 304


def test_errors_and_what_is_written_have_no_tag(door: Door) -> None:
    for answer in (door.post_job(), door.ask("GET", "/v1/jobs/x"), door.ask("GET", "/livez")):
        assert "etag" not in answer.headers


def moments(door: Door, job: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = door.ask("GET", f"/v1/jobs/{job['id']}/timeline").json()["moments"]
    assert [moment["at"] for moment in found] == sorted((m["at"] for m in found), key=datetime.fromisoformat)
    return found


def test_a_timeline_tells_what_happened(door: Door) -> None:
    job = door.post_job(headers={"x-request-id": "r-1"}).json()
    assert [m["what"] for m in moments(door, job)] == ["accepted"]
    assert moments(door, job)[0]["detail"] == {"request_id": "r-1"}
    run(job, make.AGAIN)
    waits = moments(door, job)
    assert [m["what"] for m in waits] == ["accepted", "started", "ended", "waits"]
    assert waits[2]["attempt"] == 1
    assert waits[2]["detail"]["outcome"] == "retry"
    assert waits[2]["detail"]["retry_at"] == waits[3]["at"]
    failed = door.post_job().json()
    run(failed, make.FAILURE)
    assert moments(door, failed)[-1]["detail"] == {"state": "failed", "reason": "rejected"}
    assert door.ask("GET", "/v1/jobs/01980000-0000-7000-8000-000000000000/timeline").status_code == 404
