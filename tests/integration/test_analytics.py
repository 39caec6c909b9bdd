"""What we tell Segment and Amplitude, held against what their own libraries tell."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import amplitude
import pytest
import segment.analytics as segment
from pydantic import ValidationError
from pytest_httpserver import HTTPServer

from tasks import Context, catalogue, load
from tasks.analytics import EVENT, Event, milliseconds

WHEN = datetime.fromisoformat(EVENT["time"])


def _run(task: str, payload: dict[str, Any]) -> Context:
    load()
    found, context = catalogue.find(task), Context(job_id=uuid4(), task=task)
    found.call(found.payload.model_validate(payload), context)
    return context


def test_an_event_is_told_as_segments_own_library_does(httpserver: HTTPServer, configure: Callable[..., None]) -> None:
    configure(accounts__segment__write_key="wk", accounts__segment__base_url=httpserver.url_for(""))
    httpserver.expect_request("/v1/track", method="POST").respond_with_json({"success": True})
    httpserver.expect_request("/v1/batch", method="POST").respond_with_json({"success": True})
    context = _run("segment.track", EVENT)
    library = segment.Client("wk", host=httpserver.url_for(""), sync_mode=True, max_retries=0, gzip=False)
    library.track(EVENT["user_id"], EVENT["event"], EVENT["properties"], timestamp=WHEN, message_id=context.key())
    (ours, _), (theirs, _) = httpserver.log
    assert ours.headers["authorization"] == theirs.headers["authorization"]
    (told,) = theirs.json["batch"]
    said = {**ours.json, "timestamp": datetime.fromisoformat(ours.json["timestamp"])}
    assert said == {**{name: told[name] for name in ours.json}, "timestamp": datetime.fromisoformat(told["timestamp"])}


def test_an_event_is_told_as_amplitudes_own_library_does(httpserver: HTTPServer, configure: Callable[..., None]) -> None:
    configure(accounts__amplitude__api_key="ak", accounts__amplitude__base_url=httpserver.url_for(""))
    answer = {"code": 200, "events_ingested": 1}
    httpserver.expect_request("/2/httpapi", method="POST").respond_with_json(answer)
    context = _run("amplitude.track", EVENT)
    settings = amplitude.Config(server_url=httpserver.url_for("/2/httpapi"), min_id_length=1)
    library = amplitude.Amplitude("ak", settings)
    about = {"user_id": EVENT["user_id"], "event_properties": EVENT["properties"]}
    library.track(amplitude.BaseEvent(EVENT["event"], time=milliseconds(WHEN), insert_id=context.key(), **about))
    for sent in library.flush():
        sent.result(timeout=30)
    library.shutdown()
    (ours, _), (theirs, _) = httpserver.log
    (told,) = theirs.json["events"]
    (said,) = ours.json["events"]
    assert said == {name: told[name] for name in said}
    assert {**ours.json, "events": []} == {**theirs.json, "events": []}


def test_an_event_without_a_time_was_when_its_job_was_accepted() -> None:
    event = Event.model_validate({**EVENT, "time": None})
    job_id = UUID(int=milliseconds(WHEN) << 80 | 0x7000_8000_0000_0000_0000)
    context = Context(job_id=job_id, task="segment.track")
    assert event.happened(context) == WHEN


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"user_id": None}, "give user_id"),
        ({"properties": {"x": "y" * 30_000}}, "30000 bytes"),
        ({"time": "2026-11-02"}, "timezone"),
    ],
)
def test_an_event_of_nobody_or_too_large_or_at_no_instant_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Event.model_validate({**EVENT, **change})
