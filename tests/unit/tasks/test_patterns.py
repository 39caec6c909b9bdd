"""What the patterns of payloads and accounts cost."""

import re
from collections.abc import Iterator
from typing import Any

from tasks import catalogue, load
from tasks.provider import providers

load()


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _patterns(part)


def test_no_pattern_counts_letters_of_every_script() -> None:
    """Compiled, `\\w{3,128}` takes 12 MB in each process, and to JSON Schema `\\w` and `\\d` are of ASCII anyway."""
    schemas = [task.schema() for task in catalogue.all()]
    schemas += [provider.account.model_json_schema() for provider in providers.values()]
    patterns = set(_patterns(schemas))
    assert r"^[A-Za-z0-9_]{3,128}$" in patterns, "accounts are looked at"
    assert [pattern for pattern in patterns if re.search(r"\\[wd]", pattern)] == []
