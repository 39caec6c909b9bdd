"""What can lie in a broker's list and is no hint: every kind that we could think of, by name."""

import base64
import json
from typing import Any
from uuid import uuid4

EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def message(*, body: Any = None, headers: Any = None, properties: Any = None, **rest: Any) -> bytes:
    """A Celery message for a job that nobody knows, as kombu would store it, but for what is given."""
    job_id = str(uuid4())
    whole = {
        "body": _encoded([[], {}, EMBED]) if body is None else body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": "probe.run", "id": job_id, "root_id": job_id, "retries": 0, **(headers or {})},
        "properties": {
            "correlation_id": job_id,
            "delivery_mode": 1,
            "delivery_info": {"exchange": "", "routing_key": "default"},
            "priority": 6,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
            **(properties or {}),
        },
        **rest,
    }
    return json.dumps(whole).encode()


def without(*path: str) -> bytes:
    """A message that lacks one of its parts."""
    whole = json.loads(message())
    holder = whole
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    return json.dumps(whole).encode()


def _encoded(body: Any) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


KINDS: dict[str, bytes] = {
    # no message at all
    "not JSON": b"rubbish",
    "empty": b"",
    "a number": b"42",
    "null": b"null",
    "a list": b"[]",
    "a string": b'"hello"',
    "an empty object": b"{}",
    "binary": bytes(range(256)),
    "half a message": message()[:200],
    "5 MB": b'{"headers": "' + b"x" * 5_000_000 + b'"}',
    "a message of 5 MB": message(headers={"more": "x" * 5_000_000}),
    "200,000 deep": b"[" * 200_000,
    "4,000 deep": b'{"headers":' * 4000,
    "a pickle": b"\x80\x04\x95\x19\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
    # its envelope
    "no headers": without("headers"),
    "no properties": without("properties"),
    "no delivery tag": without("properties", "delivery_tag"),
    "no body": without("body"),
    "headers are a list": message().replace(b'"headers": {', b'"headers": [], "other": {'),
    "headers are a string": message().replace(b'"headers": {', b'"headers": "id", "other": {'),
    "a wrong delivery tag": message(properties={"delivery_tag": {"a": []}}),
    "wrong delivery information": message(properties={"delivery_info": "here"}),
    "an unknown content type": message(**{"content-type": "application/x-python-serialize"}),
    "an unknown encoding": message(**{"content-encoding": "klingon"}),
    "compressed with nothing": message(headers={"compression": "gzip"}),
    # its body
    "bad base64": message(body="%%%"),
    "a body of the wrong shape": message(body=_encoded({"a": 1})),
    "a body with too few parts": message(body=_encoded([1])),
    "a body that is no JSON": message(body=base64.b64encode(b"\xff\xfe{").decode()),
    # its headers
    "no task": without("headers", "task"),
    "an unknown task": message(headers={"task": "no.such.task"}),
    "a task of Celery's own": message(body=_encoded([["probe.run", [1, 2]], {}, EMBED]), headers={"task": "celery.map"}),
    "a task that is a list": message(headers={"task": ["probe.run"]}),
    "a task with half a character": message(headers={"task": "probe.\ud800"}),
    "no id": without("headers", "id"),
    "an id that is a number": message(headers={"id": 7}),
    "an id that is no UUID": message(headers={"id": "x"}),
    "the id of no job": message(),
    "a bad time limit": message(headers={"timelimit": 7}),
    "a bad time limit in words": message(headers={"timelimit": ["soon", "later"]}),
    "a bad eta": message(headers={"eta": "tomorrow"}),
    "an eta in a list": message(headers={"eta": [2030]}),
    "an eta beyond time": message(headers={"eta": "9999-12-31T23:59:59+14:00"}),
    "a bad expiry": message(headers={"expires": {"in": 5}}),
    "wrong types of headers": message(
        headers={"retries": "x", "group": 5, "argsrepr": [], "shadow": {}, "ignore_result": 3}
    ),
    "a chain to follow": message(body=_encoded([[], {}, {**EMBED, "chain": [{"task": "probe.run", "args": [{}]}]}])),
    "a callback to follow": message(body=_encoded([[], {}, {**EMBED, "callbacks": [{"task": "probe.run"}]}])),
    "arguments": message(body=_encoded([[{"do": "exit"}], {"do": "exit"}, EMBED])),
}

BROADCASTS: dict[str, bytes] = {
    "not JSON": b"rubbish",
    "a number": b"42",
    "a list": b"[1]",
    "an empty object": b"{}",
    "binary": bytes(range(256)),
    "too deep": b"[" * 200_000,
    "bad base64": message(body="%%%"),
    "a list as a command": message(body=_encoded([1])),
    "a number as a command": message(body=_encoded({"method": 5, "arguments": 3, "destination": 7})),
    "an unknown command": message(body=_encoded({"method": "no_such", "arguments": {}})),
    "a command with wrong arguments": message(body=_encoded({"method": "rate_limit", "arguments": {"x": 1}})),
    "a wrong clock": message(body=_encoded({"method": "ping", "arguments": {}}), headers={"clock": "noon"}),
    "an answer to nowhere": message(body=_encoded({"method": "ping", "arguments": {}, "reply_to": 5})),
    "an unknown content type": message(**{"content-type": "application/x-python-serialize"}),
}
