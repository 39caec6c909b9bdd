"""The OpenAPI document: one payload schema a task, and an example that works when pasted."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import links
from api.hooks.post import PREFIX as HOOKS
from api.problems import Problem
from tasks import Task, catalogue

_TOLD = {"default", "description", "examples", "title"}  # of a schema, for people
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
    """Name the errors that each operation can answer with: those of the door, and those that its route declares."""
    for path, operations in document["paths"].items():
        if path.startswith("/v1/") and _is_tagged(operations.get("get")):
            operations["get"]["responses"]["304"] = {"description": "What If-None-Match names is still so"}
        for operation in operations.values():
            responses, by_route = operation["responses"], path != "/readyz"  # a probe's answer is no problem
            responses.pop("422", None)
            declared = {status: said["description"] for status, said in responses.items() if status >= "400" and by_route}
            usual = dict.fromkeys(_usual(path, operation) - responses.keys(), _PROBLEM["description"])
            responses |= {status: _PROBLEM | {"description": said} for status, said in (usual | declared).items()}


def _is_tagged(read: dict[str, Any] | None) -> bool:
    return read is not None and "application/json" in read["responses"]["200"].get("content", ())


def _usual(path: str, operation: dict[str, Any]) -> set[str]:
    found = {"413"} | ({"404"} if "{" in path else set())  # whoever announces too much is not read, whatever it asks for
    if not path.startswith("/v1/"):
        return found | ({"401"} if path == "/metrics" else set())
    is_hook = path.startswith(f"{HOOKS}/")
    found |= {"401", "503"} | (set() if is_hook else {"403", "429"})
    if "requestBody" in operation:
        found |= {"400", "408", "422"} | (set() if is_hook else {"415"})
    return found | ({"422"} if any(_is_bounded(given) for given in operation.get("parameters", ())) else set())


def _is_bounded(parameter: dict[str, Any]) -> bool:
    """Whether there is a value that it cannot have: a plain text can have any."""
    schema = parameter["schema"]
    choices = ({name: value for name, value in one.items() if name not in _TOLD} for one in schema.get("anyOf", [schema]))
    return any(choice not in ({"type": "string"}, {"type": "null"}) for choice in choices)


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
