"""Payloads made from events: {{data.customer.email}} in a text stands for what the event has there.

A text that is one variable and nothing else becomes its value, of whatever kind; inside a longer text it becomes text. What
the event does not have is null, or nothing within a text: the task's own model then says what is missing.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from jobs.errors import Invalid

MOST = 100  # variables
WHOLE = "{{data}}"
"""The template that passes an event's data on as it is."""

_VARIABLE = re.compile(r"\{\{([^{}]{1,200})\}\}")
_PATH = re.compile(r"[\w-]+(\.[\w-]+)*")
_ROOTS = ("id", "source", "type", "subject", "time", "data")


def check(template: Any, pointer: str = "/payload") -> Any:
    """The template itself.

    Raises:
        Invalid: it names what no event has, or too much.
    """
    names = [match[1].strip() for text in _texts(template) for match in _VARIABLE.finditer(text)]
    if len(names) > MOST:
        raise Invalid.at(pointer, f"A payload has at most {MOST} variables.")
    for name in names:
        if not _PATH.fullmatch(name) or name.partition(".")[0] not in _ROOTS:
            raise Invalid.at(pointer, f"{{{{{name[:64]}}}}} is unknown; a variable begins with {', '.join(_ROOTS)}.")
    return template


def render(template: Any, document: dict[str, Any]) -> Any:
    """The template with an event's values filled in."""
    match template:
        case str():
            return _fill(template, document)
        case list():
            return [render(item, document) for item in template]
        case dict():
            return {key: render(item, document) for key, item in template.items()}
    return template


def _fill(text: str, document: dict[str, Any]) -> Any:
    whole = _VARIABLE.fullmatch(text)
    if whole:
        return _look_up(whole[1], document)
    return _VARIABLE.sub(lambda match: _spelt(_look_up(match[1], document)), text)


def _look_up(name: str, document: Any) -> Any:
    for step in name.strip().split("."):
        if isinstance(document, list):
            document = document[int(step)] if step.isdecimal() and int(step) < len(document) else None
        else:
            document = document.get(step) if isinstance(document, dict) else None
    return document


def _spelt(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _texts(template: Any) -> Iterator[str]:
    match template:
        case str():
            yield template
        case list():
            for item in template:
                yield from _texts(item)
        case dict():
            for item in template.values():
                yield from _texts(item)
