"""Events through the door, in each of CloudEvents' modes, sent by the official SDK; and subscriptions."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings import http
from cloudevents.core.v1.event import CloudEvent

from jobs.matching import rulebook
from runtime.settings import settings
from tests.contract.door import Door

WHEN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SUBSCRIPTION = {
    "name": "receipt",
    "types": ["order.*"],
    "task": "http.request",
    "payload": {"url": "https://example.com/{{data.order}}"},
}


def event(number: int = 7, data: Any = None, **attributes: Any) -> CloudEvent:
    values = {
        "type": "order.paid",
        "source": "/shop/ü n",
        "id": f"o {number}",
        "subject": "ü",
        "time": WHEN,
        "comexampletenant": "a b",
    }
    kind = {"datacontenttype": "application/json"}
    return CloudEvent(attributes=values | kind | attributes, data={"order": number, "who": "ü"} if data is None else data)


def send(door: Door, message: http.HTTPMessage, path: str = "/v1/events") -> Any:
    return door.ask("POST", path, headers=message.headers, content=message.body)


def subscribe(door: Door, **changes: Any) -> Any:
    return door.ask("POST", "/v1/subscriptions", json=SUBSCRIPTION | changes)


@pytest.mark.parametrize("write", [http.to_binary_event, http.to_structured_event], ids=["binary", "structured"])
def test_the_official_sdk_s_event_is_recorded_as_it_was_sent(door: Door, write: Any) -> None:
    subscribe(door)
    answer = send(door, write(event()))
    assert answer.status_code == 202 and answer.json()["matched"] == 1
    whole = door.ask("GET", answer.headers["location"]).json()
    read = http.from_structured_event(
        http.HTTPMessage({"content-type": "application/cloudevents+json"}, json.dumps(whole["event"]).encode())
    )
    assert read.get_attributes() == event().get_attributes() and read.get_data() == event().get_data()
    (job,) = whole["jobs"]
    assert (job["id"], job["task"], job["subscription"]) == (answer.json()["jobs"][0], "http.request", "receipt")
    assert door.ask("GET", f"/v1/jobs/{job['id']}").json()["payload"] == {"url": "https://example.com/7"}
    again = send(door, write(event()))
    assert again.status_code == 200 and again.json() == answer.json() | {"duplicate": True}


def test_the_modes_mean_the_same_event(door: Door) -> None:
    first = send(door, http.to_binary_event(event())).json()
    assert send(door, http.to_structured_event(event())).json()["id"] == first["id"]
    batch = [json.loads(http.to_structured_event(event(number)).body) for number in (7, 8)]
    answer = door.ask("POST", "/v1/events", json=batch, headers={"content-type": "application/cloudevents-batch+json"})
    assert [each["duplicate"] for each in answer.json()["events"]] == [True, False]


@pytest.mark.parametrize(
    ("kind", "data"),
    [("text/plain", "h\u00e9"), ("application/octet-stream", b"\x00\xff"), ("application/json", {"a": [1, None]})],
)
@pytest.mark.parametrize("write", [http.to_binary_event, http.to_structured_event], ids=["binary", "structured"])
def test_data_of_any_type_comes_back_whole(door: Door, write: Any, kind: str, data: Any) -> None:
    answer = send(door, write(event(data=data, datacontenttype=kind)))
    assert answer.status_code == 202, answer.text
    whole = door.ask("GET", answer.headers["location"]).json()["event"]
    read = http.from_structured_event(
        http.HTTPMessage({"content-type": "application/cloudevents+json"}, json.dumps(whole).encode())
    )
    assert read.get_data() == data


def test_a_plain_event_takes_its_id_from_the_idempotency_key(door: Door) -> None:
    plain = {"type": "order.paid", "data": 1}
    first = door.ask("POST", "/v1/events", json=plain, headers={"idempotency-key": "k"})
    again = door.ask("POST", "/v1/events", json=plain, headers={"idempotency-key": "k"})
    other = door.ask("POST", "/v1/events", json=plain)
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 202)
    assert first.json()["id"] == again.json()["id"] != other.json()["id"]
    named = door.ask("POST", "/v1/events", json=plain | {"id": "k"})
    assert named.json()["id"] == first.json()["id"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"id": ""}, "/id"), ({"source": None}, "/source"),
        ({"specversion": "0.3"}, "/specversion"), ({"type": "a b"}, "/type"),
        ({"time": "yesterday"}, "/time"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "/time"),
        ({"data_base64": "?"}, "/data_base64"), ({"data_base64": "AA=="}, ""),
        ({"Upper": "x"}, ""), ({"ext": {"a": 1}}, "/ext"), ({"source": "treadle"}, "/source"), ({"id": "a\0"}, "/id"),
    ],
)  # fmt: skip
def test_an_event_that_is_none_is_refused_with_its_place_and_nothing_is_stored(
    door: Door, changes: Any, pointer: str
) -> None:
    given = json.loads(http.to_structured_event(event()).body) | changes
    for body, kind, prefix in ((given, "cloudevents", ""), ([given], "cloudevents-batch", "/0")):
        answer = door.ask("POST", "/v1/events", json=body, headers={"content-type": f"application/{kind}+json"})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] in {prefix + pointer, pointer}
    assert door.ask("GET", "/v1/events").json()["events"] == []


@pytest.mark.parametrize("path", ["/v1/events", "/v1/events/test"])
def test_what_is_called_a_cloudevent_must_be_one(door: Door, path: str) -> None:
    plain = {"type": "order.paid", "data": {"total": 5}}
    assert door.ask("POST", path, json=plain).is_success
    for body, kind, prefix in ((plain, "cloudevents", ""), ([plain], "cloudevents-batch", "/0")):
        answer = door.ask("POST", path, json=body, headers={"content-type": f"application/{kind}+json"})
        assert answer.status_code == 422
        assert f"{prefix}/specversion" in {error["pointer"] for error in answer.json()["errors"]}


def test_a_batch_is_accepted_whole_or_not_at_all(door: Door) -> None:
    good = {"type": "order.paid", "id": "1"}
    assert door.ask("POST", "/v1/events", json=[good, {"type": "order paid"}]).status_code == 422
    assert door.ask("GET", "/v1/events").json()["events"] == []
    assert len(door.ask("POST", "/v1/events", json=[good, good | {"id": "2"}]).json()["events"]) == 2
    assert door.ask("POST", "/v1/events", json=[]).status_code == 422


def test_an_event_is_as_large_as_a_payload_may_be_and_a_batch_larger(door: Door) -> None:
    large = {"type": "t", "data": "x" * (settings().payload_limit // 2)}
    assert door.ask("POST", "/v1/events", json=[large] * 3).status_code == 202
    too_large = {"type": "t", "data": "x" * settings().payload_limit}
    assert door.ask("POST", "/v1/events", json=too_large).status_code == 413
    assert door.ask("POST", "/v1/events", json=[{"type": "t"}, too_large]).status_code == 413
    binary = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t", "content-type": "text/plain"}
    assert door.ask("POST", "/v1/events", content=b"x" * (settings().payload_limit + 1), headers=binary).status_code == 413


def test_what_is_no_event_is_415_or_400(door: Door) -> None:
    assert door.ask("POST", "/v1/events", content=b"<a/>", headers={"content-type": "text/xml"}).status_code == 415
    assert door.ask("POST", "/v1/events", content=b"{", headers={"content-type": "application/json"}).status_code == 400
    assert door.ask("POST", "/v1/events", json=7).status_code == 422


def test_a_trial_says_what_would_fire_and_what_the_task_would_find_wrong(door: Door) -> None:
    subscribe(door)
    subscribe(door, name="broken", payload={"url": "{{data.nowhere}}"})
    subscribe(door, name="deaf", filter={"data": {"order": [{"numeric": [">", 100]}]}})
    trial = door.ask("POST", "/v1/events/test", json={"type": "order.paid", "data": {"order": 7}}).json()
    would = {each["rule"]: each for each in trial["would"]}
    assert would.keys() == {"receipt", "broken"} and would["receipt"]["payload"] == {"url": "https://example.com/7"}
    assert would["receipt"]["errors"] == [] and would["broken"]["errors"][0]["pointer"] == "/payload/url"
    assert door.ask("GET", "/v1/events").json()["events"] == []


def test_dead_events_are_visible_and_replayed_in_a_range(door: Door) -> None:
    sent = [door.ask("POST", "/v1/events", json={"type": "order.paid", "data": {"order": n}}).json()["id"] for n in range(3)]
    dead = door.ask("GET", "/v1/events", params={"dead": True, "limit": 2}).json()
    assert [each["id"] for each in dead["events"]] == sent[:0:-1]
    rest = door.ask("GET", "/v1/events", params={"dead": True, "cursor": dead["next_cursor"]}).json()
    assert [each["id"] for each in rest["events"]] == sent[:1] and rest["next_cursor"] is None
    subscribe(door)
    body = {"since": "2020-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z", "dead": True, "rules": ["receipt"]}
    answer = door.ask("POST", "/v1/events/replay", json=body).json()
    assert (answer["events"], len(answer["jobs"]), answer["next_cursor"]) == (3, 3, None)
    one = door.ask("POST", f"/v1/events/{sent[0]}/replay", json={}).json()
    assert [job["id"] for job in door.ask("GET", f"/v1/events/{sent[0]}").json()["jobs"]][-1:] == one["jobs"]


def test_a_subscription_is_made_read_changed_and_deleted(door: Door) -> None:
    made = subscribe(door, filter={"data": {"a": ["x"]}}, priority="high", delay="5m")
    assert made.status_code == 201 and made.headers["location"] == "/v1/subscriptions/receipt"
    assert door.ask("GET", "/v1/subscriptions/receipt").json() == made.json()
    assert subscribe(door).status_code == 409
    changed = door.ask("PATCH", "/v1/subscriptions/receipt", json={"paused": True, "types": ["x.*"], "filter": {}}).json()
    assert (changed["paused"], changed["types"], changed["filter"], changed["revision"]) == (True, ["x.*"], {}, 2)
    assert door.ask("DELETE", "/v1/subscriptions/receipt").status_code == 204
    assert door.ask("GET", "/v1/subscriptions/receipt").status_code == 404


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"types": ["a..b"]}, "/types/0"), ({"filter": {"data": {"a": []}}}, "/filter/data/a"), ({"task": "nope"}, "/task"),
        ({"filter": {"data": {"a": [{"regex": "x"}]}}}, "/filter/data/a/0"), ({"queue": "nope"}, "/queue"),
        ({"payload": {"a": "{{event.id}}"}}, "/payload"), ({"types": []}, "/types"),
    ],
)  # fmt: skip
def test_a_subscription_that_cannot_work_is_refused(door: Door, changes: Any, pointer: str) -> None:
    answer = subscribe(door, **changes)
    assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == pointer


def test_subscriptions_in_code_are_listed_as_such(door: Door) -> None:
    listed = door.ask("GET", "/v1/subscriptions").json()["subscriptions"]
    assert [each["name"] for each in listed] == [each.name for each in rulebook.declared()]
