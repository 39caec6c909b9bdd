"""The command reaches everything that the API can do."""

import ast
import re
from pathlib import Path

from api.app import create_app

CLI = Path(__file__).parents[3] / "cli"
BY_OTHERS = re.compile(r"/v1/hooks/|/livez|/readyz|/metrics|/problems/")
"""Called by providers, probes, scrapers and browsers."""

SAID = {"follow": "GET", "can_show": "GET", "can_change": "PATCH"}
"""Where the method is in the name."""


def asked() -> set[tuple[str, str]]:
    """What the commands ask for, as it is written: `ask(METHOD, PATH, …)`, `follow(PATH, …)`, `can_show(app, PATH)`.

    `partial(door.ask, METHOD, PATH, …)` is one of them too.
    """
    found = set()
    for path in CLI.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            is_partial = isinstance(node.func, ast.Name) and node.func.id == "partial"
            called = node.args[0] if is_partial else node.func
            if isinstance(called, ast.Attribute):
                words = [
                    given.value for given in node.args if isinstance(given, ast.Constant) and isinstance(given.value, str)
                ]
                if called.attr == "ask" and len(words) >= 2:
                    found.add((words[0], words[1]))
                elif called.attr in SAID and words:
                    found.add((SAID[called.attr], words[0]))
    return found


def test_every_operation_of_the_api_has_a_command() -> None:
    operations = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, methods in create_app().openapi()["paths"].items()
        for method in methods
        if not BY_OTHERS.match(path)
    }
    assert operations - asked() == set()
