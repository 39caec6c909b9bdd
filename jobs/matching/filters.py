"""Filters over an event's content: a subset of Amazon EventBridge's event patterns, which need no parser and no interpreter.

A filter has the shape of the event. Its leaves are lists of what is allowed, any of which may fit; its fields must all fit:

    {"data": {"currency": ["EUR", "USD"], "amount": [{"numeric": [">=", 100, "<", 1000]}], "coupon": [{"exists": false}]}}

A leaf holds plain values, {"prefix": text}, {"suffix": text}, {"anything-but": value or list}, {"numeric": [op, number, …]}
and {"exists": true or false}. Where the event has an array, any of its items may fit.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from jobs.errors import Invalid

Document = dict[str, Any]
Path = tuple[str, ...]
Test = Callable[[Any], bool]

DEEPEST, MOST = 8, 100  # levels; values and operators in all
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_ABSENT = object()


@dataclass(frozen=True)
class Leaf:
    """One field: plain values that are allowed, and tests for the others. `absent`: whether it may be missing."""

    path: Path
    values: frozenset[tuple[bool, Any]]
    tests: tuple[Test, ...]
    absent: bool

    def fits(self, document: Document) -> bool:
        """Whether the document's field is allowed."""
        found = values_at(document, self.path)
        if not found:
            return self.absent
        return any(exactly(value) in self.values or any(test(value) for test in self.tests) for value in found)


@dataclass(frozen=True)
class Filter:
    """All leaves must fit."""

    leaves: tuple[Leaf, ...]

    def fits(self, document: Document) -> bool:
        """Whether an event, as a document, passes."""
        return all(leaf.fits(document) for leaf in self.leaves)

    @property
    def key(self) -> Leaf | None:
        """A leaf of plain values only: an index can find the filter by them."""
        return next((leaf for leaf in self.leaves if leaf.values and not leaf.tests and not leaf.absent), None)


def exactly(value: Any) -> tuple[bool, Any]:
    """A hashable stand-in, in which true is not 1; what is no plain value equals nothing."""
    if isinstance(value, dict | list):
        return False, _ABSENT
    return isinstance(value, bool), value


def values_at(document: Any, path: Path) -> list[Any]:
    """What stands at a path: nothing, a value, or the items of an array (arrays on the way are entered too)."""
    found = [document]
    for name in path:
        found = [item[name] for item in _entered(found) if isinstance(item, dict) and name in item]
        if not found:
            return []
    return list(_entered(found))


def _entered(values: list[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from value
        else:
            yield value


def compiled(given: Any, pointer: str = "/filter") -> Filter:
    """A filter, ready to use.

    Raises:
        Invalid: it is none; with the pointer of the place.
    """
    leaves = tuple(_leaves(given, (), pointer))
    if sum(len(leaf.values) + len(leaf.tests) for leaf in leaves) > MOST:
        raise Invalid.at(pointer, f"A filter has at most {MOST} values and operators.")
    return Filter(leaves)


def _leaves(given: Any, path: Path, pointer: str) -> Iterator[Leaf]:
    if not isinstance(given, dict) or len(path) >= DEEPEST:
        raise Invalid.at(
            pointer, f"A field of a filter is a list of what is allowed, or an object of fields ({DEEPEST} deep)."
        )
    for name, inner in given.items():
        here = f"{pointer}/{name}"
        if isinstance(inner, list):
            yield _leaf((*path, name), inner, here)
        else:
            yield from _leaves(inner, (*path, name), here)


def _leaf(path: Path, allowed: list[Any], pointer: str) -> Leaf:
    if not allowed:
        raise Invalid.at(pointer, "An empty list allows nothing.")
    plain = frozenset(exactly(each) for each in allowed if not isinstance(each, dict | list))
    tests = [_test(each, f"{pointer}/{at}") for at, each in enumerate(allowed) if isinstance(each, dict | list)]
    absent = {"exists": False} in allowed
    return Leaf(path, plain, tuple(tests), absent)


def _test(given: Any, pointer: str) -> Test:
    if not isinstance(given, dict) or len(given) != 1:
        raise Invalid.at(pointer, "An operator is an object with one name.")
    ((name, value),) = given.items()
    match name, value:
        case "prefix", str():
            return lambda found: isinstance(found, str) and found.startswith(value)
        case "suffix", str():
            return lambda found: isinstance(found, str) and found.endswith(value)
        case "exists", bool():
            return lambda found: value
        case "anything-but", _ if not isinstance(value, dict):
            others = frozenset(exactly(each) for each in (value if isinstance(value, list) else [value]))
            return lambda found: exactly(found) not in others
        case "numeric", list() if value and len(value) % 2 == 0:
            return _numeric(value, pointer)
    raise Invalid.at(
        pointer, "The operators are prefix, suffix, anything-but, numeric and exists, each with its kind of value."
    )


def _numeric(given: list[Any], pointer: str) -> Test:
    pairs = list(zip(given[::2], given[1::2], strict=True))
    if not all(sign in _COMPARE and _is_number(bound) for sign, bound in pairs):
        raise Invalid.at(pointer, 'numeric is a list of = < <= > >= and numbers: [">=", 100, "<", 1000].')
    return lambda found: _is_number(found) and all(_COMPARE[sign](found, bound) for sign, bound in pairs)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
