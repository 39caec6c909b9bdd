"""Reading what the user wrote: JSON from the command line, a file or standard input; lists of name=value."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cli.complaint import Complaint


def json_value(given: str, what: str) -> Any:
    """JSON as written, or from a file (`@payload.json`), or from standard input (`-`).

    Raises:
        Complaint: no such file, or no JSON.
    """
    text = given
    try:
        if given == "-":
            text = sys.stdin.read()
        elif given.startswith("@"):
            text = Path(given[1:]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Complaint(f"The {what} cannot be read from {given[1:] or 'standard input'}: {error}.") from None
    try:
        return json.loads(text)
    except ValueError as error:
        raise Complaint(
            f"The {what} is not JSON: {error}.", [text.strip()[:200], 'Quote it for your shell: \'{"name": "value"}\'']
        ) from None


def pairs(given: Iterable[str]) -> dict[str, str]:
    """`name=value`, as often as given."""
    found = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise Complaint(f"{pair!r} is not name=value.")
        found[name] = value
    return found


def without_empty(**body: Any) -> dict[str, Any]:
    """A request's body of the options that were given: the API knows the defaults of the rest."""
    return {name: value for name, value in body.items() if value not in (None, "", [], {})}
