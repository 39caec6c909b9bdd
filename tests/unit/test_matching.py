"""Patterns of types, filters over content, templates for payloads, and the index over all rules."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import Invalid
from jobs.matching import filters, patterns, templates
from jobs.matching.patterns import Patterns
from jobs.matching.rulebook import Book, Rule
from jobs.model import Subscription


def matches(pattern: str, event_type: str, *, ours: bool = False) -> bool:
    tree: Patterns[str] = Patterns()
    tree.put(patterns.check(pattern, "/types/0"), "found")
    return list(tree.find(event_type, ours=ours)) == ["found"]


@pytest.mark.parametrize(
    ("pattern", "event_type", "expected"),
    [
        ("order.paid", "order.paid", True), ("order.paid", "order.paid.late", False), ("order.paid", "order", False),
        ("order.*", "order.paid", True), ("order.*", "order.item.added", False), ("order.*", "order", False),
        ("*.paid", "order.paid", True), ("*.paid", "order.item.paid", False), ("*", "order", True),
        ("*", "order.paid", False),
        ("order.**", "order.item.added", True), ("order.**", "order.paid", True), ("order.**", "order", False),
        ("**", "order", True), ("**", "a.b.c.d", True), ("*.*.created", "com.example.created", True),
        ("stripe.*.**", "stripe.payment_intent.succeeded", True), ("Order.paid", "order.paid", False),
    ],
)  # fmt: skip
def test_patterns(pattern: str, event_type: str, expected: bool) -> None:
    assert matches(pattern, event_type) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("**", False), ("*.succeeded", False), ("job.*", True), ("job.**", True), ("job.succeeded", True)],
)
def test_a_pattern_that_begins_with_a_wildcard_does_not_match_our_own_events(pattern: str, expected: bool) -> None:
    assert matches(pattern, "job.succeeded", ours=True) is expected


@pytest.mark.parametrize(
    "pattern", ["", ".", "a.", ".a", "a..b", "a.**.b", "a*", "a.b*", "a b", "**.a", "a\n", "x" * 256, "***"]
)
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(Invalid):
        patterns.check(pattern, "/types/0")


EVENT: dict[str, Any] = {
    "type": "order.paid", "subject": "eu/7",
    "data": {"amount": 120, "currency": "EUR", "paid": True, "coupon": None, "tags": ["new", "vip"],
    "lines": [{"sku": "a"}, {"sku": "b"}]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("given_filter", "expected"),
    [
        ({}, True), ({"data": {"currency": ["EUR", "USD"]}}, True), ({"data": {"currency": ["USD"]}}, False),
        ({"data": {"currency": ["EUR"], "amount": [7]}}, False), ({"subject": [{"prefix": "eu/"}]}, True),
        ({"subject": [{"suffix": "/8"}]}, False), ({"data": {"amount": [{"numeric": [">=", 100, "<", 121]}]}}, True),
        ({"data": {"amount": [{"numeric": ["<", 100]}]}}, False), ({"data": {"currency": [{"numeric": ["<", 100]}]}}, False),
        ({"data": {"amount": [{"numeric": ["<", 100]}, 120.0]}}, True), ({"data": {"paid": [True]}}, True),
        ({"data": {"paid": [1]}}, False), ({"data": {"coupon": [None]}}, True), ({"data": {"nothing": [None]}}, False),
        ({"data": {"coupon": [{"exists": True}]}}, True), ({"data": {"nothing": [{"exists": False}]}}, True),
        ({"data": {"coupon": [{"exists": False}]}}, False), ({"data": {"nothing": [{"exists": False}, "x"]}}, True),
        ({"data": {"tags": ["vip"]}}, True), ({"data": {"tags": ["old"]}}, False),
        ({"data": {"lines": {"sku": ["b"]}}}, True),
        ({"data": {"currency": [{"anything-but": "EUR"}]}}, False),
        ({"data": {"currency": [{"anything-but": ["USD"]}]}}, True),
        ({"data": {"nothing": [{"anything-but": "EUR"}]}}, False), ({"data": {"lines": ["b"]}}, False),
    ],
)  # fmt: skip
def test_filters(given_filter: dict[str, Any], expected: bool) -> None:
    assert filters.compiled(given_filter).fits(EVENT) is expected


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ([], "/filter"), ({"data": "x"}, "/filter/data"), ({"data": {"a": []}}, "/filter/data/a"),
        ({"a": [{"regex": "x"}]}, "/filter/a/0"), ({"a": ["x", {"prefix": 1}]}, "/filter/a/1"),
        ({"a": [["x"]]}, "/filter/a/0"),
        ({"a": [{"numeric": [">"]}]}, "/filter/a/0"), ({"a": [{"numeric": [">", True]}]}, "/filter/a/0"),
        ({"a": [{"exists": 1}]}, "/filter/a/0"), ({"a": [{"prefix": "x", "suffix": "y"}]}, "/filter/a/0"),
        ({"a": list(range(101))}, "/filter"),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": [1]}}}}}}}}}, "/filter/a/b/c/d/e/f/g/h"),
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused_at_its_place(wrong: Any, pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        filters.compiled(wrong)
    assert refused.value.errors[0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{data}}", EVENT["data"]), ("{{ data.amount }}", 120), ("{{data.nothing}}", None), ("{{data.tags.1}}", "vip"),
        ("{{data.tags.9}}", None), ("{{data.currency.x}}", None),
        ("{{data.amount}} {{data.currency}}{{data.nothing}}", "120 EUR"),
        ({"a": ["{{type}}", 7], "{{type}}": "{{data.tags}}!"}, {"a": ["order.paid", 7], "{{type}}": '["new", "vip"]!'}),
        ("no variable { } {{", "no variable { } {{"),
    ],
)  # fmt: skip
def test_templates(template: Any, expected: Any) -> None:
    assert templates.render(templates.check(template), EVENT) == expected


@pytest.mark.parametrize(
    "wrong", ["{{nothing}}", "{{data..a}}", "{{data.a b}}", ["{{__class__}}"], {"a": "{{data.}}"}, ["{{id}}"] * 101]
)
def test_what_is_no_template(wrong: Any) -> None:
    with pytest.raises(Invalid):
        templates.check(wrong)


_words = st.sampled_from(["a", "b", "c"])
_pattern = st.lists(_words | st.just("*"), min_size=1, max_size=3).flatmap(
    lambda words: st.sampled_from([".".join(words), ".".join([*words, "**"])])
)
_leaf = st.lists(
    st.sampled_from([1, "x", True, None]) | st.just({"exists": False}) | st.just({"prefix": "x"}), min_size=1, max_size=2
)
_filter = st.dictionaries(st.sampled_from(["p", "q"]), _leaf, max_size=2).map(lambda inner: {"data": inner} if inner else {})
_value = st.sampled_from([1, "x", "xy", True, None, ["x", 1], {}])


@given(
    rules=st.lists(st.tuples(st.lists(_pattern, min_size=1, max_size=3), _filter), max_size=12),
    event_type=st.lists(_words, min_size=1, max_size=4).map(".".join),
    data=st.dictionaries(st.sampled_from(["p", "q"]), _value, max_size=2),
)
def test_the_index_finds_what_looking_at_each_rule_finds(rules: list[Any], event_type: str, data: Any) -> None:
    document = {"type": event_type, "data": data}
    made = [
        Rule(Subscription(name=str(at)), tuple(types), filters.compiled(where)) for at, (types, where) in enumerate(rules)
    ]
    expected = [
        rule for rule in made if rule.filter.fits(document) and any(matches(pattern, event_type) for pattern in rule.types)
    ]
    found = Book(uuid4(), made).matching(document)
    assert sorted(rule.name for rule in found) == sorted(rule.name for rule in expected)
