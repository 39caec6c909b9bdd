"""The OpenAPI document: one payload schema a task, and an example that works when pasted."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import links
from api.problems import Problem
from tasks import Task, catalogue

_PROBLEM = {
    "description": "A problem (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, summary=app.summary, description=app.description, routes=app.routes
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}") | {"$defs": {}}
        schemas["Problem"].pop("$defs")
        schemas["WrongValue"] = Problem.model_json_schema()["$defs"]["WrongValue"]
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        _answer_with_problems(document)
        _add_payloads(document, schemas)
        links.add(document)
        app.openapi_schema = document
    return app.openapi_schema


def _answer_with_problems(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses = {"400", "401", "403", "422", "429", "503"} if path.startswith("/v1") else set()
            statuses |= {"404"} if "{" in path else set()
            statuses |= {"401"} if path == "/metrics" else set()
            statuses |= {"408", "413", "415"} if method in {"post", "patch"} else set()
            statuses |= {"409"} if method in {"post", "patch", "delete"} else set()
            operation["responses"].pop("422", None)
            operation["responses"] |= {status: _PROBLEM for status in statuses if status not in operation["responses"]}


def _add_payloads(document: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Each task's payload under its own name, and each as an example of POST /v1/jobs."""
    body = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
    body["examples"] = {}
    names = []
    for task in catalogue.all():
        name = f"{task.name}.payload"
        schemas[name] = _inlined(task, schemas)
        names.append({"$ref": f"#/components/schemas/{name}"})
        body["examples"][task.name] = {"summary": task.summary, "value": {"task": task.name, "payload": task.example}}
    schemas["JobIn"]["properties"]["task"]["enum"] = [task.name for task in catalogue.all()]
    schemas["JobIn"]["properties"]["payload"] = {"anyOf": names, "description": "What the task's own schema asks for."}


def _inlined(task: Task, schemas: dict[str, Any]) -> dict[str, Any]:
    """The task's schema; what it refers to moves beside it, under the task's name."""
    schema = task.schema(ref_template=f"#/components/schemas/{task.name}.{{model}}")
    for name, definition in schema.pop("$defs", {}).items():
        schemas[f"{task.name}.{name}"] = definition
    return schema | {"title": f"{task.name} payload"}
