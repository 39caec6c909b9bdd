"""What happens to every request: an id, safe headers, a size limit, metrics with bounded labels."""

from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from tests.contract.door import Door


def labels(name: str) -> set[tuple[str, ...]]:
    """The label values under which a metric has been counted."""
    found = next(metric for metric in REGISTRY.collect() if metric.name == name)
    return {
        tuple(sample.labels[key] for key in ("method", "route"))
        for sample in found.samples
        if sample.name.endswith("_total")
    }


@pytest.mark.parametrize("given", ["a", "A-b_c.d:e-9", "x" * 128, "01980000-0000-7000-8000-000000000000"])
@pytest.mark.parametrize("path", ["/livez", "/v1/jobs", "/nowhere"])
def test_a_request_id_comes_back(given: str, path: str, door: Door) -> None:
    answer = door.ask("GET", path, headers={"x-request-id": given})
    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 129, "a/b", "é".encode(), "<script>", "a,b"])
def test_without_a_usable_request_id_one_is_made(given: Any, door: Door) -> None:
    answer = door.ask("GET", "/v1/jobs", headers={} if given is None else {"x-request-id": given})
    assert UUID(answer.headers["x-request-id"]).version == 7


def test_the_request_id_is_kept_with_the_job(door: Door) -> None:
    made = door.post_job(headers={"x-request-id": "mine"})
    assert door.ask("GET", made.headers["location"]).json()["request_id"] == "mine"


@pytest.mark.parametrize("path", ["/livez", "/v1/jobs", "/nowhere", "/metrics", "/problems/invalid", "/v1/jobs/x"])
def test_every_answer_has_the_safe_headers(path: str, door: Door) -> None:
    headers = door.ask("GET", path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == ("private, no-cache" if "etag" in headers else "no-store")
    assert headers["referrer-policy"] == "no-referrer"


def test_requests_are_counted_by_route_and_never_by_what_a_caller_writes(door: Door) -> None:
    for number in range(5):
        door.ask("GET", f"/v1/jobs/01980000-0000-7000-8000-00000000000{number}")
        door.ask("GET", f"/v1/schedules/name{number}")
        door.ask("GET", f"/nowhere/{number}")
        door.ask("PROPFIND", f"/nowhere/{number}")
        door.client.get(f"/v1/nowhere/{number}", headers={"authorization": "Bearer none"})
    documented = {
        (method.upper(), path) for path, operations in door.app.openapi()["paths"].items() for method in operations
    }
    seen = labels("treadle_http_requests")
    assert seen >= {
        ("GET", "/v1/jobs/{job_id}"),
        ("GET", "/v1/schedules/{name}"),
        ("GET", "unmatched"),
        ("other", "unmatched"),
    }
    paths = {path for _, path in documented} | {"unmatched", "/raises", "/openapi.json", "/docs", "/redoc"}
    assert {path for _, path in seen} <= paths
    assert {method for method, _ in seen} <= {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other"}


def test_a_caller_cannot_pass_for_another_route_by_its_host(door: Door) -> None:
    answer = door.client.get("/v1/jobs", headers={"host": "x/livez?", "authorization": "none"})
    assert answer.status_code == 401


def test_metrics_without_a_token_in_the_settings_are_open(door: Door) -> None:
    door.client.headers.pop("authorization", None)
    assert door.ask("GET", "/metrics").status_code == 200
