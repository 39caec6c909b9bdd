"""The part of the Python client that says what the API can do, made from the API's own document. `make client` writes it."""

import keyword
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from api.app import create_app
from tasks import catalogue

FOLDER = Path(__file__).parents[1] / "client"
HEAD = '"""{} Made from the API by `make client`: do not edit."""\n'
PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None", "object": "dict[str, Any]"}
IMPORTS = "from __future__ import annotations\n\nfrom typing import Any, Literal, NotRequired, TypedDict"
ANYTHING = {("JobIn", "task"): "str", ("JobIn", "payload"): "Any"}  # users add tasks of their own
PROVIDERS = "/v1/hooks/"  # what is below it is called by providers, not by clients

LISTS = {  # the items that a list is gone through by, how the place is named from which to go on, and the method's name
    "list_jobs": ("jobs", "cursor", "each_job"),
    "list_events": ("events", "cursor", "each_event"),
    "list_deliveries": ("deliveries", "cursor", "each_delivery"),
    "list_deeds": ("deeds", "before", "each_deed"),
}
ANSWERS = {  # where it depends on the request what comes
    "list_jobs": "models.JobPage",  # with `fields`, its jobs have only these
    "send_event": "models.Accepted",  # one is sent; the batches of CloudEvents are for their own SDKs
    "begin_action": "models.ActionOut",
    "preview_action": "models.CountOut",
}
FIXED = {"begin_action": {"preview": False}, "preview_action": {"preview": True}}
TWINS = {"begin_action": "preview_action"}  # one operation, and two questions to it
TOLD = {"preview_action": "How many jobs `begin_action` would meet."}
HEADERS = {"idempotency-key": "Idempotency-Key", "traceparent": "traceparent", "last-event-id": "Last-Event-ID"}


def sources() -> dict[str, str]:
    """The modules, by the names of their files."""
    document = create_app().openapi()
    inputs = {_name_of(each): _body(each)[1] for each in _operations(document) if _inline(each)}
    made = {"models.py": _models(document, inputs), "operations.py": _all_operations(document)}
    return {name: _formatted(source) for name, source in made.items()}


def _formatted(source: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", "client/made.py", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True, cwd=FOLDER.parent).stdout


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            if not path.startswith(PROVIDERS):
                yield described | {"path": path, "method": method.upper()}


def _name_of(each: dict[str, Any]) -> str:
    """The route's function: FastAPI puts the path behind it."""
    behind = each["path"].replace("/", "_").replace("{", "_").replace("}", "_").replace("-", "_").replace(".", "_")
    name: str = each["operationId"].removesuffix(f"{behind}_{each['method'].lower()}")
    return name


# Types


def _type(schema: dict[str, Any], here: str = "models.") -> str:
    """A schema as an annotation; `here` is in front of the names of models."""
    if "$ref" in schema:
        return here + _class_name(schema["$ref"].rpartition("/")[2])
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        if all("enum" in each or "const" in each for each in choices):
            return _type({"enum": [value for each in choices for value in each.get("enum", [each.get("const")])]})
        return " | ".join(dict.fromkeys(_type(each, here) for each in choices))
    if "const" in schema or "enum" in schema:
        return f"Literal[{', '.join(repr(each) for each in schema.get('enum', [schema.get('const')]))}]"
    if schema.get("type") == "array":
        return f"list[{_type(schema['items'], here)}]"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"dict[str, {_type(schema['additionalProperties'], here)}]"
    return PLAIN.get(schema.get("type", ""), "Any")


def _class_name(name: str) -> str:
    return name.replace("-Input", "").replace("-Output", "Told")


def _models(document: dict[str, Any], inputs: dict[str, dict[str, Any]]) -> str:
    of_tasks = tuple(f"{task.name}." for task in catalogue.all())
    schemas = {name: each for name, each in document["components"]["schemas"].items() if not name.startswith(of_tasks)}
    schemas |= {_input_name(name): each for name, each in inputs.items()}
    parts = [HEAD.format("What the API takes and gives, as JSON has it."), IMPORTS]
    parts += (_model(_class_name(name), schema) for name, schema in sorted(schemas.items()))
    return "\n\n".join(parts) + "\n"


def _model(name: str, schema: dict[str, Any]) -> str:
    if "properties" not in schema:
        return f"{name} = {_type(schema, '')}"
    lines = [f"class {name}(TypedDict):", *_docstring(schema.get("description") or "As it is sent.")]
    for field, each in schema["properties"].items():
        kind = ANYTHING.get((name, field)) or _type(each, "")
        lines.append(f"    {field}: {kind if field in schema.get('required', ()) else f'NotRequired[{kind}]'}")
        lines += (f"    # {line}" for line in textwrap.wrap(each.get("description", ""), 110))
    return "\n".join(lines)


def _docstring(text: str) -> list[str]:
    paragraphs = [textwrap.wrap(" ".join(part.split()), 110) for part in text.split("\n\n")]
    lines = "\n\n".join("\n".join(part) for part in paragraphs).splitlines()
    if len(lines) == 1:
        return [f'    """{lines[0]}"""']
    return [f'    """{lines[0]}', *(f"    {line}".rstrip() for line in lines[1:]), '    """']


# Operations


def _all_operations(document: dict[str, Any]) -> str:
    methods: list[str] = []
    for each in _operations(document):
        name = _name_of(each)
        methods += (_Method(each, known).source() for known in (name, TWINS.get(name)) if known)
        methods += [_Method(each, name, through=True).source()] if name in LISTS else []
    return "\n".join(
        [
            HEAD.format("Every operation of the API, as a method that describes it."),
            "from typing import Any, Unpack\nfrom uuid import uuid4\n",
            "from client import models",
            "from client.call import Call, Event, Listing, Stream, iteration, operation\n\n",
            "class Operations:",
            '    """What the API can do. A client makes a method of each that does it, sync or async."""\n',
            "\n\n".join(methods),
            "",
        ]
    )


class _Method:
    """A method that is being written; `through`: the one that goes through the whole list."""

    def __init__(self, each: dict[str, Any], name: str, *, through: bool = False) -> None:
        self.items, self.cursor, self.name = LISTS[name] if through else ("", "", name)
        self.each, self.operation, self.through = each, name, through
        self.stream = "text/event-stream" in each["responses"].get("200", {}).get("content", {})
        self.required: list[str] = []
        self.optional: list[str] = []
        self.body: list[str] = []
        self.names: list[str] = []
        self.query: list[str] = []
        self.headers: list[str] = []
        self.more: list[str] = []
        for given in each.get("parameters", ()):
            self._take(given["name"], given["in"], _type(given["schema"]).replace(" | None", ""), given.get("required"))
        self._take_body(*_body(each))
        if "text/plain" in each["responses"].get("200", {}).get("content", {}):
            self.more.append('answer="text/plain"')

    def _take(self, name: str, place: str, kind: str, required: bool | None) -> None:
        field, fixed = name.replace("-", "_") + "_" * keyword.iskeyword(name), FIXED.get(self.operation, {})
        if field in fixed:
            self.query.append(f'"{field}": {fixed[field]}')
        elif place == "path":
            self.required.append(f"{field}: {kind}")
            self.names.append(field)
        elif field == "prefer":
            self.optional.append("wait: float | None = None")
            self.more.append("wait=wait")
        elif field != self.cursor:
            self.optional.append(f"{field}: {kind}" if required else f"{field}: {kind} | None = None")
            value = f"{field} or str(uuid4())" if field == "idempotency_key" else field
            (self.query if place == "query" else self.headers).append(f'"{HEADERS.get(name, name)}": {value}')

    def _take_body(self, media_type: str, schema: dict[str, Any]) -> None:
        if not media_type:
            return
        if media_type == "application/json":
            kind = f"models.{_input_name(self.operation)}" if _inline(self.each) else _type(schema)
            self.body.append(f"**body: Unpack[{kind}]")
        else:
            self.required.append("body: Any")
        self.more += ["body=body", f'media_type="{media_type}"']

    def source(self) -> str:
        """As it is written down."""
        parts = [f'"{self.each["method"]}"', f'"{_gaps(self.each["path"])}"']
        parts += [f"names=({', '.join(self.names)},)"] if self.names else []
        parts += [f"query={{{', '.join(self.query)}}}"] if self.query else []
        parts += [f"headers={{{', '.join(self.headers)}}}"] if self.headers else []
        answer, made = self._answer(f"Call({', '.join([*parts, *self.more])})")
        given = [
            "self",
            *self.required,
            *["/"][: len(self.required)],
            *["*"][: len(self.optional)],
            *self.optional,
            *self.body,
        ]
        return "\n".join(
            [
                "    @iteration" if self.stream or self.through else "    @operation",
                f"    def {self.name}({', '.join(given)}) -> {answer}:",
                *textwrap.indent("\n".join(_docstring(self._told())), "    ").splitlines(),
                f"        return {made}",
            ]
        )

    def _answer(self, call: str) -> tuple[str, str]:
        if self.stream:
            return "Stream[Event]", f"Stream({call})"
        if self.through:
            return f"Listing[{_item(self.each, self.items)}]", f'Listing({call}, "{self.items}", "{self.cursor}")'
        return f"Call[{ANSWERS.get(self.operation) or _answer(self.each)}]", call

    def _told(self) -> str:
        if self.through:
            return f"All that `{self.operation}` finds, page after page."
        return TOLD.get(self.operation) or str(self.each["description"])


def _gaps(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def _body(each: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The first media type that is taken, and its schema."""
    content = each.get("requestBody", {}).get("content", {})
    return next(((kind, held["schema"]) for kind, held in content.items()), ("", {}))


def _inline(each: dict[str, Any]) -> bool:
    kind, schema = _body(each)
    return kind == "application/json" and "$ref" not in schema


def _input_name(name: str) -> str:
    return "".join(part.title() for part in name.split("_")) + "In"


def _answer(each: dict[str, Any]) -> str:
    """What comes if it is well."""
    found: dict[str, bool] = {}
    for status, response in each["responses"].items():
        if status < "300":
            contents = response.get("content", {}).values()
            kinds = " | ".join(_type(held["schema"]) for held in contents if "schema" in held) or "None"
            found |= dict.fromkeys(kinds.split(" | "), True)
    return " | ".join(found)


def _item(each: dict[str, Any], items: str) -> str:
    name = _answer(each).partition(" | ")[0].removeprefix("models.")
    found = create_app().openapi()["components"]["schemas"][name]["properties"][items]["items"]
    return _type(found)


def main() -> None:
    """Write the modules."""
    for name, source in sources().items():
        (FOLDER / name).write_text(source)


if __name__ == "__main__":
    main()
