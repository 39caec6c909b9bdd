"""The page of each provider in docs/providers, made from its declaration. `make docs` writes them."""

import importlib
import json
import pkgutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from runtime import accounts as given
from runtime.duration import spell
from tasks.capability import Capability
from tasks.provider import Provider, ProviderTask, providers
from tasks.rate import Calls
from tasks.registry import Task, catalogue

FOLDER = Path(__file__).parents[1] / "docs" / "providers"
Row = tuple[str, ...]


def pages() -> dict[str, str]:
    """Every page, by the name of its file."""
    package = importlib.import_module("tasks.integrations")
    for module in pkgutil.iter_modules(package.__path__, "tasks.integrations."):
        importlib.import_module(module.name)
    found = sorted((provider for provider in providers.values() if _is_ours(provider)), key=lambda provider: provider.name)
    ours = {f"{provider.name}.md": _page(provider) for provider in found}
    return {"README.md": _index(found), "capabilities.md": _capabilities_page(), **ours}


def _is_ours(provider: Provider[Any]) -> bool:
    return provider.account.__module__.startswith("tasks.integrations.")


def _tasks(provider: Provider[Any]) -> list[ProviderTask]:
    return [task for task in catalogue.all() if isinstance(task, ProviderTask) and task.provider is provider]


def _index(found: list[Provider[Any]]) -> str:
    rows = [
        (
            f"[{provider.name}]({provider.name}.md)",
            _title(provider),
            ", ".join(f"`{task.name}`" for task in _tasks(provider)),
            f"`treadle[{provider.extra}]`" if provider.extra else "–",
        )
        for provider in found
    ]
    return _joined(
        "# Providers",
        "Made from the code by `make docs`. What holds for all of them is in [integrations.md](../integrations.md).",
        _table(("provider", "what", "tasks", "extra"), rows),
        "## Capabilities",
        "Asked for by what is wanted; several accounts may do it, see [integrations.md](../integrations.md#capabilities).",
        _table(("task", "what", "by", "without `accounts`"), [_ways(task) for task in _capabilities()]),
    )


def _capabilities() -> list[Capability]:
    return [task for task in catalogue.all() if isinstance(task, Capability)]


def _ways(task: Capability) -> Row:
    ways = ", ".join(f"[{name}]({name}.md)" for name in sorted(task.ways)) or "–"
    return f"[`{task.name}`](capabilities.md)", task.summary, ways, "all, by name" if task.alike else "the only one"


def _capabilities_page() -> str:
    return _joined(
        "# Capabilities",
        "Made from the code by `make docs`; how accounts are chosen, and when the next is asked, is in "
        "[integrations.md](../integrations.md#capabilities).",
        *(part for task in _capabilities() for part in _capability(task)),
    )


def _capability(task: Capability) -> Iterator[str]:
    yield f"## `{task.name}`"
    yield f"{task.summary} By {', '.join(f'[{name}]({name}.md)' for name in sorted(task.ways))}."
    default = "all that are configured, by name" if task.alike else "the only one that is configured"
    names = ("`accounts`", "list of string (at most 10)", default, "whom to ask, in this order")
    yield _table(("field", "type", "default", "meaning"), [*_fields(task), names])
    yield f"```json\n{json.dumps({'task': task.name, 'payload': task.example}, indent=2)}\n```"


def _page(provider: Provider[Any]) -> str:
    return _joined(
        f"# {provider.name}",
        f"{_title(provider)} Made from the code by `make docs`; the rules for every provider are in "
        "[integrations.md](../integrations.md).",
        *_account(provider),
        *(part for task in _tasks(provider) for part in _task(task)),
        *_errors(provider),
    )


def _title(provider: Provider[Any]) -> str:
    words = importlib.import_module(provider.account.__module__).__doc__ or ""
    title = words.partition("\n")[0].partition(": ")[2]
    return title[:1].upper() + title[1:]


def _account(provider: Provider[Any]) -> Iterator[str]:
    model = provider.account
    yield "## Account"
    yield " ".join((model.__doc__ or "").split())
    if provider.extra:
        yield f"Its client library comes with `pip install 'treadle[{provider.extra}]'`."
    rows = [
        (f"`{given.variable(provider.name, name)}`", _default(field), _words(field, secret=field.annotation is SecretStr))
        for name, field in model.model_fields.items()
        if name != "name"
    ]
    yield _table(("variable", "default", "meaning"), rows)
    if provider.probe is None:
        yield "There is no call without effects or cost to look whether the account works; its health is read off the jobs."
    else:
        looks = " ".join((provider.probe.__doc__ or "").split())
        yield f"`treadle providers check {provider.name}` looks whether the account works, without effects. {looks}".strip()


def _task(task: ProviderTask) -> Iterator[str]:
    yield f"## `{task.name}`"
    yield "\n".join(line.strip() for line in (task.run.__doc__ or "").strip().splitlines())
    account = "`account`", "string", f"`{task.provider.name}`", "whose credentials"
    yield _table(("field", "type", "default", "meaning"), [*_fields(task), account])
    yield f"```json\n{json.dumps({'task': task.name, 'payload': task.example}, indent=2)}\n```"
    yield f"**Once.** {_once(task)}"
    yield f"Time limit of an attempt: {spell(task.timeout)}. At most {task.retry.max_attempts} attempts."


def _once(task: ProviderTask) -> str:
    who = task.provider.name
    if task.offline:
        return "It is reckoned from the account's fields: nothing is called."
    if isinstance(task.repeatable, timedelta):
        return f"Our key goes along on every attempt; {who} remembers it for {spell(task.repeatable)}."
    if task.repeatable:
        return "Doing it twice has the effect of doing it once, so an attempt whose end is not known is repeated."
    if task.confirm is not None:
        when = f", {spell(task.settled)} later" if task.settled else ""
        return f"{who} cannot recognise a call it has seen. After an attempt whose end is not known it is asked first{when}."
    return (
        f"{who} cannot recognise a call it has seen, nor say whether it has. An attempt whose end is not known is not "
        'repeated: the job fails as `unknown_outcome`, unless its policy says `"on_unknown": "retry"`.'
    )


def _fields(task: Task) -> Iterator[Row]:
    schema = task.schema()
    for name, field in schema.get("properties", {}).items():
        if name not in {"account", "accounts"}:
            default = "required" if name in schema.get("required", []) else _json(field.get("default"))
            yield f"`{name}`", _type(field, schema), default, _sentence(field.get("description", ""))


def _type(field: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in field:
        return _type(schema["$defs"][field["$ref"].rpartition("/")[2]], schema)
    if choices := field.get("enum") or ([field["const"]] if "const" in field else None):
        return " or ".join(_json(choice) for choice in choices)
    if options := field.get("anyOf") or field.get("oneOf"):
        kinds = [_type(option, schema) for option in options if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), schema)}" + _bounds(field, "Items")
    bounds = _bounds(field, "Length") if field.get("type") == "string" else ""
    return str(field.get("title" if "properties" in field else "type", "any JSON")) + bounds


def _bounds(field: dict[str, Any], of: str) -> str:
    most = field.get(f"max{of}")
    return f" (at most {most})" if most is not None else ""


def _errors(provider: Provider[Any]) -> Iterator[str]:
    if provider.errors:
        yield "## Errors"
        yield "Beside the rules for every provider:"
        rows = [(f"`{code}`", _meaning(kind)) for code, kind in provider.errors.items()]
        yield _table(("code or status", "what it counts as"), rows)


def _meaning(kind: type[Exception]) -> str:
    return f"`{kind.__name__}`: {(kind.__doc__ or '').partition('.')[0].lower()}"


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if isinstance(field.default, BaseModel) or field.default is None:
        return "–"
    if isinstance(field.default, timedelta):
        return f"`{spell(field.default)}`"
    if isinstance(field.default, Calls):
        return f"`{field.default.number}/{spell(field.default.per)}`"
    return f"`{field.default}`"


def _words(field: FieldInfo, *, secret: bool) -> str:
    example = f"such as `{field.examples[0]}`" if field.examples else ""
    return _sentence("; ".join(filter(None, ["a secret" if secret else "", field.description, example])))


def _json(value: Any) -> str:
    return "–" if value is None or value in ([], {}) else f"`{json.dumps(value)}`"


def _sentence(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|")


def _table(heads: Row, rows: Sequence[Row]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ("---",) * len(heads), *rows))


def _joined(*parts: str) -> str:
    return "\n\n".join(parts) + "\n"


def write() -> None:
    """Write all pages, and take away those of providers that are gone."""
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    write()
