"""The OpenAPI document is true: whatever is made from it, good or bad, is answered as it says."""

import json
import re
from collections.abc import Iterator
from typing import Any

import hypothesis
import jsonschema_rs
import pytest
import requests
import schemathesis
from httpx2 import Headers
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from tasks import Task, catalogue
from tests.contract.door import Door
from tests.contract.whom import takes, whom

DOCUMENT: dict[str, Any] = json.loads(json.dumps(create_app().openapi()))
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
SCHEMA.config.generation.update(with_security_parameters=False)  # the key is ours
OPERATIONS: list[APIOperation] = [found.ok() for found in SCHEMA.get_all_operations()]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
CHECKS_OF = {"POST /v1/jobs/bulk": [check for check in CHECKS if check is not negative_data_rejection]}  # 207: each its own
PASTED = DOCUMENT["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["examples"]
NAMES = {"job_id": "01980000-0000-7000-8000-000000000000", "name": "nightly", "kind": "invalid"}
SHARE = 0.35  # of all random requests; test_malformed has the others
WEIGHT = {"create_job": 6, "create_schedule": 4, "change_schedule": 4, "list_jobs": 2}  # where more can be said


def can_be_wrong(operation: APIOperation) -> bool:
    """Whether it takes anything that a request could get wrong: not only a name in its path."""
    raw = operation.definition.raw
    return "requestBody" in raw or any(
        parameter["schema"].keys() - {"type", "title"}
        for parameter in raw.get("parameters", ())
        if parameter["in"] != "header"
    )


def weight(operation: APIOperation) -> int:
    """How many of the requests an operation gets, next to the others."""
    function = operation.definition.raw["operationId"].partition("_v1")[0]
    return WEIGHT.get(function, 1)


REQUESTS = [
    (operation, mode) for operation in OPERATIONS for mode in GenerationMode if can_be_wrong(operation) or mode.is_positive
]
TOTAL = sum(weight(operation) for operation, _ in REQUESTS)


@pytest.fixture
def session(door: Door) -> Iterator[requests.Session]:
    """What schemathesis sends its requests with: an admin's."""
    with requests.Session() as opened:
        opened.trust_env = False
        opened.headers.update(door.authority())
        yield opened


@pytest.fixture
def nightly(door: Door) -> Iterator[None]:
    """A schedule by the name that paths are filled with, and no other."""
    door.forget()
    task = catalogue.find("http.request")
    door.ask("POST", "/v1/schedules", json={"name": "nightly", "task": task.name, "payload": task.example, "every": "1h"})
    yield
    door.check_ledger()
    door.forget()


@pytest.mark.parametrize(("operation", "mode"), REQUESTS, ids=lambda value: getattr(value, "label", str(value)))
@pytest.mark.usefixtures("nightly")
def test_every_operation_answers_as_its_document_says(
    operation: APIOperation, mode: GenerationMode, door: Door, session: requests.Session, fuzz: int
) -> None:
    @hypothesis.settings(
        max_examples=max(1, round(fuzz * SHARE * weight(operation) / TOTAL)),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode), task=st.none() | st.sampled_from(catalogue.all()))
    def answers(case: Case, task: Task | None) -> None:
        if mode.is_positive and task and isinstance(case.body, dict) and "task" in case.body:
            case.body = case.body | {"task": task.name, "payload": task.example, "queue": task.queue}
        if mode.is_positive:
            case.path_parameters = {name: NAMES.get(name, value) for name, value in (case.path_parameters or {}).items()}
        if case.path == "/v1/stream":  # it has no end unless one is given
            case.query = {**(case.query or {}), "for": "0s"}
        answer = case.call(base_url=door.url, session=session)
        headers = Headers({name: values[0] for name, values in answer.headers.items()})
        door.look_at(case.method, case.formatted_path, answer.status_code, headers, answer.content)
        case.validate_response(answer, checks=CHECKS_OF.get(operation.label, CHECKS))

    answers()


def test_the_document_is_valid_openapi() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    SCHEMA.validate()
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
        jsonschema_rs.meta.validate(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"})
    for reference in re.findall(r'"\$ref": "([^"]*)"', json.dumps(DOCUMENT)):
        assert reference.removeprefix("#/components/schemas/") in DOCUMENT["components"]["schemas"], reference
    names = [operation.definition.raw["operationId"] for operation in OPERATIONS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", PASTED)
def test_every_example_works_when_pasted(name: str, door: Door) -> None:
    example = PASTED[name]["value"]
    validator({"$ref": "#/components/schemas/JobIn"}).validate(example)
    sent = {**example, "payload": {**example["payload"], **whom(catalogue.find(name))}}
    answer = door.ask("POST", "/v1/jobs", json=sent)
    assert answer.status_code == 202, answer.text
    assert door.ask("GET", answer.headers["location"]).json()["payload"] == sent["payload"]
    assert example == {"task": name, "payload": catalogue.find(name).example}


def test_every_task_has_its_own_payload_schema_and_example(door: Door) -> None:
    assert {task.name for task in catalogue.all()} == PASTED.keys()
    assert DOCUMENT["components"]["schemas"]["JobIn"]["properties"]["task"]["enum"] == sorted(PASTED)
    for task in catalogue.all():
        component = validator({"$ref": f"#/components/schemas/{task.name}.payload"})
        component.validate(task.example)
        told = door.ask("GET", f"/v1/tasks/{task.name}").json()
        jsonschema_rs.validator_for(told["payload_schema"]).validate(task.example)
        for other in catalogue.all():
            if takes(task.read, other.example):
                assert component.is_valid(other.example), f"{other.name}'s example as payload of {task.name}"
        schema = DOCUMENT["components"]["schemas"][f"{task.name}.payload"]
        assert schema.get("properties", {}).keys() == task.schema().get("properties", {}).keys(), task.name


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_documented_error_is_a_problem(operation: APIOperation) -> None:
    raw = operation.definition.raw
    for status, response in raw["responses"].items():
        if int(status) >= 400 and operation.label != "GET /readyz":  # a probe's answer: how what is behind the door stands
            reference = {"$ref": "#/components/schemas/Problem"}
            assert response["content"] == {"application/problem+json": {"schema": reference}}, f"{operation.label}: {status}"
    if operation.path.startswith("/v1/") and not operation.path.startswith("/v1/hooks/"):  # providers have no key
        assert raw["responses"].keys() >= {"401", "403", "503"}
        assert raw["security"] == [{"api_key": []}]
    if "requestBody" in raw:
        assert raw["responses"].keys() >= {"400", "408", "413", "422"}
    assert raw["summary"]
    assert raw["description"]


def test_every_kind_of_problem_fits_its_schema(door: Door) -> None:
    problems = validator({"$ref": "#/components/schemas/Problem"})
    for answer in (
        door.ask("GET", "/nowhere"),
        door.ask("DELETE", "/v1/jobs"),
        door.ask("GET", "/v1/jobs", headers={"authorization": "Bearer tr_no_key"}),
        door.ask("POST", "/v1/jobs", json={"task": 1, "tags": [""]}),
        door.ask("POST", "/v1/jobs", content=b"{"),
        door.ask("POST", "/v1/jobs", content=b"x" * 300_000),
    ):
        problems.validate(answer.json())
        page = door.ask("GET", answer.json()["type"])
        assert page.text.startswith(f"{answer.json()['title']} ({answer.status_code})")


def validator(schema: dict[str, Any]) -> Any:
    """Checks values against a schema of the document."""
    return jsonschema_rs.validator_for(schema | {"components": DOCUMENT["components"]})
