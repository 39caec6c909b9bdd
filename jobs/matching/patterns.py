"""Patterns of event types: words between dots, `*` for one word, `**` at the end for one or more.

A pattern whose first word is a wildcard does not match our own events (job.succeeded and so on), as `*` does not match
hidden files: a rule for everything must not be set off by its own jobs.
"""

import re
from collections.abc import Iterator
from typing import Generic, TypeVar

from jobs.errors import Invalid

Item = TypeVar("Item")

TYPE = r"^[^\s\x00-\x1f\x7f]+$"
"""What a type looks like."""

_WORD = r"(?:[^\s\x00-\x1f\x7f.*]+|\*)"
_PATTERN = re.compile(rf"{_WORD}(?:\.{_WORD})*(?:\.\*\*)?|\*\*")
LONGEST = 255


def check(pattern: str, pointer: str) -> str:
    """The pattern itself.

    Raises:
        Invalid: it is none.
    """
    if len(pattern) > LONGEST or not _PATTERN.fullmatch(pattern):
        raise Invalid.at(
            pointer, "This is no pattern of event types: words between dots, * for one, ** at the end for the rest."
        )
    return pattern


class Patterns(Generic[Item]):
    """Items by pattern, as a tree of words: finding those of a type costs its words, not the number of patterns."""

    def __init__(self) -> None:
        self._words: dict[str, Patterns[Item]] = {}
        self._here: list[Item] = []
        self._below: list[Item] = []  # behind `**`

    def put(self, pattern: str, item: Item) -> None:
        """Add an item under a pattern."""
        head, _, rest = pattern.partition(".")
        if head == "**":
            self._below.append(item)
        elif rest:
            self._words.setdefault(head, Patterns()).put(rest, item)
        else:
            self._words.setdefault(head, Patterns())._here.append(item)  # noqa: SLF001 - a node of the same tree

    def find(self, event_type: str, *, ours: bool = False) -> Iterator[Item]:
        """The items whose pattern matches a type. `ours`: the event is one of our own."""
        yield from self._find(event_type.split("."), 0, wild=not ours)

    def _find(self, words: list[str], at: int, *, wild: bool) -> Iterator[Item]:
        if at == len(words):
            yield from self._here
            return
        if wild:
            yield from self._below
        for head in (words[at], "*") if wild else (words[at],):
            node = self._words.get(head)
            if node is not None:
                yield from node._find(words, at + 1, wild=True)  # noqa: SLF001 - a node of the same tree
