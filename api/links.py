"""Links of the document: what was made by one operation is the subject of others (OpenAPI 3.1, Link Object)."""

from collections.abc import Iterator
from typing import Any

_SUBJECTS = {
    "JobOut": ("/v1/jobs/{job_id}", "id"),
    "ActionOut": ("/v1/bulk-actions/{action_id}", "id"),
    "Accepted": ("/v1/events/{event_id}", "id"),
    "EndpointOut": ("/v1/endpoints/{endpoint_id}", "id"),
    "KeyMade": ("/v1/keys/{key_id}", "id"),
    "ScheduleOut": ("/v1/schedules/{name}", "name"),
    "SubscriptionOut": ("/v1/subscriptions/{name}", "name"),
    "SourceOut": ("/v1/sources/{name}", "name"),
}
"""Below which path the thing of an answer is found, and by which of its fields."""


def add(document: dict[str, Any]) -> None:
    """Link every answer that made something to all that can be asked of it."""
    for operations in document["paths"].values():
        for status, response in operations.get("post", {}).get("responses", {}).items():
            if status.startswith("2"):
                response.update(_links(document, response))


def _links(document: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    links = {}
    for name in _schemas(response):
        if name in _SUBJECTS:
            path, field = _SUBJECTS[name]
            gap = path[path.index("{") + 1 : -1]
            for operation in _below(document, path):
                target = {"operationId": operation["operationId"], "parameters": {gap: f"$response.body#/{field}"}}
                links[operation["operationId"].partition("_v1_")[0]] = target
    return {"links": links} if links else {}


def _schemas(response: dict[str, Any]) -> Iterator[str]:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    for each in (schema, *schema.get("anyOf", ())):
        if "$ref" in each:
            yield each["$ref"].rpartition("/")[2]


def _below(document: dict[str, Any], path: str) -> Iterator[dict[str, Any]]:
    for each, operations in document["paths"].items():
        if each == path or each.startswith(f"{path}/"):
            yield from operations.values()
