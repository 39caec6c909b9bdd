"""Requests that are wrong in every way we could think of, and some that only look so."""

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

JOB = {
    "task": "http.request",
    "payload": {
        "method": "POST",
        "url": "https://example.com/",
        "headers": {"x-word": "value"},
        "json": {"some": ["thing", 1, 1.5, None, True]},
        "timeout": "30s",
        "success": [404],
    },
    "queue": "default",
    "priority": "high",
    "delay": "1h",
    "expires_at": "2031-01-01T00:00:00Z",
    "timeout": "1m",
    "retry": {"max_attempts": 3, "backoff": {"kind": "exponential", "initial": "1s", "factor": 2.5}, "deadline": "1d"},
    "tags": ["red", "green"],
    "metadata": {"customer": "42"},
}
"""A job that is accepted, with something in nearly every field."""

SCHEDULE = {
    "name": "other",
    "task": "webhook.deliver",
    "payload": {
        "url": "https://example.com/",
        "type": "a.b",
        "data": {"at": "{{tick_at}}"},
        "timestamp": "2026-01-01T00:00:00Z",
    },
    "cron": "*/5 * * * *",
    "zone": "Europe/Berlin",
    "queue": "cpu",
    "priority": "low",
    "timeout": 90,
    "retry": {"backoff": {"kind": "schedule", "delays": ["1s", "PT1M", 5]}},
    "tags": ["a"],
    "catch_up": "1h",
    "paused": True,
}
"""A schedule that is accepted."""

CHANGE = {key: value for key, value in SCHEDULE.items() if key not in {"name", "task", "payload"}} | {
    "payload": {"url": "https://example.com/", "json": ["{{schedule}}"]}
}
"""A change that is accepted, of a schedule of http.request."""

MAIL = {
    "task": "email.send",
    "payload": {
        "from": "Ada <ada@example.com>",
        "to": ["b@example.com"],
        "cc": ["c@example.com"],
        "reply_to": "d@example.com",
        "subject": "s",
        "text": "t",
        "html": "<p>",
        "headers": {"List-Unsubscribe": "<https://example.com/>"},
    },
}

BODIES = [("POST", "/v1/jobs", JOB), ("POST", "/v1/jobs", MAIL), ("POST", "/v1/schedules", SCHEDULE)]
BODIES += [("PATCH", "/v1/schedules/nightly", CHANGE)]


@dataclass(frozen=True)
class Raw:
    """A piece of a body as it is, JSON or not."""

    text: str


def written(value: Any) -> str:
    """JSON, but for what is Raw in it. Half surrogate pairs and NUL are written as escapes."""
    match value:
        case Raw():
            return value.text
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{written(item)}" for name, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path to everything in a value, itself included."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [path, *(deeper for key, item in items for deeper in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """The value with something else at a path."""
    if not path:
        return new
    step, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[step] = replaced(value[step], tuple(rest), new)
    return copy


NUMBERS = [
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "-0", "01", "0x10", "1.", ".5", "+1", "1_000"),
    *(
        "1" + "0" * 400,
        "9" * 4300,
        "9" * 4301,
        "-" + "9" * 5000,
        "1." + "0" * 5000,
        str(2**31),
        str(2**63),
        str(-(2**63) - 1),
    ),
]
TEXTS = [
    *(
        "\x00",
        "a\x00b",
        "\ud800",
        "\udfffa",
        "\ud83d\ude00",
        "\u2028",
        "\ufeff",
        "\u202e",
        "",
        " ",
        "\n",
        "\r\n",
        "a" * 501,
        "é" * 5000,
    ),
    *("-1s", "9e99", "1e400", "1e999s", "9" * 60 + "d", "P9999999Y", "PT", "-P1D", "1h1h1h", "٣s", "nan", "inf", "0"),
    *(
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-02-30T00:00:00Z",
        "2026-01-01",
        "10000-01-01T00:00:00Z",
    ),
    *("now", "253402300800", "-62135596801", "2000-01-01T00:00:00+23:59", "2026-01-01T24:00:00Z", "2016-12-31T23:59:60Z"),
    *(
        "default",
        "cpu",
        "urgent",
        "NORMAL",
        "../default",
        "default\x00",
        "default ",
        "http.request",
        "email.send",
        "no.such",
    ),
    *(
        "{{tick_at}}",
        "{{x}}",
        "{{tick_at",
        "{{ schedule }}{{schedule}}",
        "http://[",
        "http://[::1",
        "http://a:99999/",
        "https://é/",
    ),
    *("file:///etc/passwd", "http://user:pass@host/", "http://169.254.169.254/", "//x", "http:", "a@b", "a@b\r\nBcc: c@d"),
    *(
        "* * * * *",
        "0 0 30 2 *",
        "* * * * * *",
        "60 * * * *",
        "@reboot",
        "*/0 * * * *",
        "1-0 * * * *",
        "Europe/Berlin",
        "../UTC",
        "UTC\x00",
    ),
]
VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        2**64,
        [],
        {},
        [[]],
        [None],
        {"": ""},
        {"a": None},
        {"kind": "fixed"},
        {"kind": "none"},
    ),
    *(["x"] * 300, [1] * 300, {str(n): "x" for n in range(60)}, {"\x00": "\x00"}, {"\ud800": 1}),
    *(
        Raw('{"a":1,"a":2}'),
        Raw("[" * 70 + "]" * 70),
        Raw('{"a":' * 63 + "1" + "}" * 63),
        Raw(""),
        Raw("undefined"),
        Raw("'a'"),
    ),
    *(
        Raw('"\\x"'),
        Raw('"\t"'),
        Raw('"\\ud83d"'),
        Raw('"\\uZZZZ"'),
        Raw('"'),
        Raw("]"),
        Raw("1,"),
        Raw("/**/1"),
        Raw("nul"),
    ),
    *map(Raw, NUMBERS),
    *TEXTS,
]
_any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
values = st.sampled_from(VALUES) | st.sampled_from(TEXTS) | _any_json
_KEYS = [
    "x",
    "",
    "\x00",
    "\ud800",
    "a" * 300,
    "__class__",
    "id",
    "tenant",
    "state",
    "payload",
    "run_at",
    "every",
    "cron",
    "body",
    "form",
]


@st.composite
def bodies(draw: st.DrawFn, sound: Any) -> bytes:
    """A body that is accepted, with a few things replaced, added, taken away or said twice."""
    body = sound
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(body)))
        there = body
        for step in path:
            there = there[step]
        change = draw(st.integers(0, 9))
        if isinstance(there, dict) and change < 3:
            there = there | {draw(st.sampled_from(_KEYS) | st.text(max_size=8)): draw(values)}
        elif isinstance(there, dict) and there and change < 5:
            there = {name: item for name, item in there.items() if name != draw(st.sampled_from(sorted(there)))}
        elif isinstance(there, dict) and there and change < 6:
            there = Raw(written(there)[:-1] + f",{json.dumps(draw(st.sampled_from(sorted(there))))}:1}}")
        else:
            there = draw(values)
        body = replaced(body, path, there)
    return written(body).encode()


@st.composite
def damaged(draw: st.DrawFn, sound: Any) -> bytes:
    """The bytes of a body that is accepted, some of them changed, cut out, doubled or put in."""
    body = bytearray(json.dumps(sound).encode())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 20)))
        body[start:end] = draw(
            st.binary(max_size=6) | st.sampled_from([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\x00", b"\\u0000"])
        )
    return bytes(body)


texts = st.text(max_size=40) | st.sampled_from(TEXTS) | st.sampled_from([number[:300] for number in NUMBERS])
"""What may stand in a path or a query."""

header_values = st.binary(max_size=60) | st.sampled_from(
    [
        *(
            b"\xff",
            b"\xc3\xa9",
            b'"',
            b'""',
            b'"a',
            b"a b",
            b"a" * 255,
            b"a" * 256,
            b'"' + b"b" * 255 + b'"',
            b"a,b",
            b"\tx\t",
        ),
        *(b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00", b"00-" + b"G" * 32 + b"-" + b"1" * 16 + b"-01", b"..", b"\x7f"),
        *(
            b"Bearer",
            b"Bearer ",
            b"Bearer tr_",
            b"Bearer tr__",
            b"Bearer tr_\xff_\xff",
            b"Basic YTpi",
            b"bearer tr_a_b",
            b"Bearer " + b"x" * 5000,
        ),
    ]
)
