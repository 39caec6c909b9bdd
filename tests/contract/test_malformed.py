"""Malformed requests: none breaks the door or hangs it, each is told what is wrong, and nothing of it is stored."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from runtime.settings import settings
from tasks import catalogue
from tests.contract import rubbish
from tests.contract.door import Door
from tests.contract.rubbish import BODIES, CHANGE, JOB, SCHEDULE, Raw, written
from tests.contract.whom import whom

JSON = {"content-type": "application/json"}
ROUTES = [
    *(("GET", path) for path in ("/v1/jobs", "/v1/tasks", "/v1/queues", "/v1/schedules", "/v1/schedules/nightly")),
    *(
        ("GET", path)
        for path in ("/v1/schedules/nightly/preview", "/v1/tasks/http.request", "/livez", "/readyz", "/metrics")
    ),
    *(("POST", path) for path in ("/v1/jobs", "/v1/schedules", "/v1/queues/default/resume", "/v1/schedules/nightly/run")),
    *(("POST", f"/v1/jobs/01980000-0000-7000-8000-000000000000/{verb}") for verb in ("cancel", "retry")),
    *(
        ("PATCH", "/v1/schedules/nightly"),
        ("DELETE", "/v1/schedules/none"),
        ("GET", "/problems/invalid"),
        ("PUT", "/nowhere"),
    ),
]
LONGEST_URL = 65_536
"""Characters; httpx2 refuses to send more."""
Random = Callable[[float], Callable[[Any], Any]]


@pytest.fixture(autouse=True)
def _nightly(door: Door) -> Iterator[None]:
    """A schedule to ask for; afterwards the ledger is looked at."""
    door.forget()
    given = {"name": "nightly", "task": "http.request", "payload": {"url": "https://example.com/"}, "every": "1h"}
    assert door.ask("POST", "/v1/schedules", json=given).status_code == 201
    yield
    door.check_ledger()
    door.forget()


@pytest.fixture
def random(fuzz: int) -> Random:
    """Makes the settings of a test that gets its share of all random requests."""

    def share(part: float) -> Callable[[Any], Any]:
        wanted = max(1, round(fuzz * part))
        phases = [Phase.generate, Phase.shrink]
        return hypothesis.settings(
            max_examples=wanted, deadline=None, database=None, phases=phases, suppress_health_check=list(HealthCheck)
        )

    return share


# At random


@pytest.mark.parametrize(("method", "path", "sound"), BODIES, ids=["job", "mail", "schedule", "change"])
def test_bodies_with_wrong_values(method: str, path: str, sound: Any, door: Door, random: Random) -> None:
    @random(0.07)
    @given(body=rubbish.bodies(sound))
    def refused_or_sound(body: bytes) -> None:
        door.ask(method, path, content=body, headers=JSON)

    refused_or_sound()


@pytest.mark.parametrize(("method", "path", "sound"), BODIES, ids=["job", "mail", "schedule", "change"])
def test_bodies_with_wrong_bytes(method: str, path: str, sound: Any, door: Door, random: Random) -> None:
    @random(0.04)
    @given(body=rubbish.damaged(sound) | st.binary(max_size=200))
    def refused_or_sound(body: bytes) -> None:
        door.ask(method, path, content=body, headers=JSON)

    refused_or_sound()


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/schedules/nightly/preview"])
def test_queries(path: str, door: Door, random: Random) -> None:
    names = st.sampled_from(["state", "task", "queue", "schedule_id", "limit", "cursor", "count"]) | st.text(max_size=5)

    @random(0.05)
    @given(query=st.lists(st.tuples(names, rubbish.texts), max_size=4))
    def answered(query: list[tuple[str, str]]) -> None:
        asked = f"{path}?{urlencode(query, errors='surrogatepass')}"
        if len(asked) < LONGEST_URL:
            door.ask("GET", asked)
        else:
            door.say("GET", asked, authorized(door, b"Accept: */*"))

    answered()


def test_a_query_longer_than_any_client_would_send(door: Door) -> None:
    for path in ("/v1/jobs", "/v1/schedules/nightly/preview"):
        assert door.say("GET", f"{path}?task={'a' * 2 * LONGEST_URL}", authorized(door, b"Accept: */*")) in {400, 414, 422}


def test_paths(door: Door, random: Random) -> None:
    shapes = [
        *(
            "/v1/jobs/{}",
            "/v1/jobs/{}/cancel",
            "/v1/jobs/{}/retry",
            "/v1/schedules/{}",
            "/v1/schedules/{}/run",
            "/v1/tasks/{}",
        ),
        *(
            "/v1/schedules/{}/preview",
            "/v1/queues/{}/pause",
            "/v1/queues/{}/resume",
            "/problems/{}",
            "/v1/{}",
            "/{}",
            "/v1/jobs{}",
        ),
    ]
    methods = st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"])

    @random(0.08)
    @given(method=methods, shape=st.sampled_from(shapes), name=rubbish.texts)
    def answered(method: str, shape: str, name: str) -> None:
        door.ask(method, shape.format(quote(name, safe="", errors="surrogatepass")), headers=JSON, content=b"{}")

    answered()


def test_headers(door: Door, random: Random) -> None:
    names = st.sampled_from(
        [
            *(
                "Idempotency-Key",
                "X-Request-Id",
                "Traceparent",
                "Authorization",
                "Content-Type",
                "Content-Encoding",
                "Accept",
            ),
            *(
                "Prefer",
                "Host",
                "Cookie",
                "Origin",
                "Expect",
                "Connection",
                "Upgrade",
                "X-Forwarded-For",
                "Range",
                "If-Match",
            ),
        ]
    )
    body = written(JOB).encode()

    @random(0.08)
    @given(route=st.sampled_from(ROUTES), junk=st.lists(st.tuples(names, rubbish.header_values), min_size=1, max_size=3))
    def answered(route: tuple[str, str], junk: list[tuple[str, bytes]]) -> None:
        lines = [name.encode() + b": " + value for name, value in junk]
        if not any(name == "Authorization" for name, _ in junk):
            lines.append(b"Authorization: Bearer " + door.keys["admin"].encode())
        head = b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"Content-Type: application/json"])
        door.say(*route, head, b"\r\n\r\n", body)

    answered()


# By plan


@pytest.mark.parametrize(("method", "path", "sound"), BODIES, ids=["job", "mail", "schedule", "change"])
@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800"], ids=["nul", "nul inside", "half a pair"])
def test_every_text_of_a_body_holds_what_no_column_can(method: str, path: str, sound: Any, text: str, door: Door) -> None:
    free = {("payload", "json"), ("payload", "data"), ("payload", "text"), ("payload", "html"), ("payload", "body")}
    for place in rubbish.places(sound):
        answer = door.ask(method, path, content=written(rubbish.replaced(sound, place, text)), headers=JSON)
        if text == "\ud800":
            assert answer.status_code == 400
        elif place[:2] not in free:
            assert answer.status_code == 422, (place, answer.text)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"\xff\xfe{\x00}\x00", 400),
        (b'{"task":"\xed\xa0\x80"}', 400),
        (b'{"task":"\xc0\x80"}', 400),
        (b'\xef\xbb\xbf{"task":"http.request"}', 400),
        (b'{"task":"a","task":"http.request"}', 400),
        (b'{"task":"http.request","payload":{"url":"https://example.com/","json":{"a":1,"\\u0061":2}}}', 400),
        (b'{"task":"http.request"}{}', 400),
        (b"{'task':'http.request'}", 400),
        (b"[" * 200_000, 400),
        (b"[" * 100_000 + b"]" * 100_000, 400),
        (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, 400),
        (b"[" * 65 + b"]" * 65, 400),
        (b"[" * 64 + b"]" * 64, 422),
        (b"null", 422),
        (b"[]", 422),
        (b'"http.request"', 422),
        (b"1" * 4301, 400),
        (b"1" * 250_000, 400),
        (b"-", 400),
        (b'"' + b"\\" * 100_001, 400),
        (b" " * 200_000, 400),
        (b"\x00", 400),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else str(value),
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/jobs"), ("POST", "/v1/schedules"), ("PATCH", "/v1/schedules/nightly")]
)
def test_bodies_that_are_no_json_for_us(method: str, path: str, body: bytes, status: int, door: Door) -> None:
    assert door.ask(method, path, content=body, headers=JSON).status_code == status


@pytest.mark.parametrize("number", rubbish.NUMBERS, ids=lambda number: number[:12])
def test_numbers(number: str, door: Door) -> None:
    for place in rubbish.places(JOB):
        door.ask("POST", "/v1/jobs", content=written(rubbish.replaced(JOB, place, Raw(number))), headers=JSON)


def test_every_field_gets_every_kind_of_value(door: Door) -> None:
    sound = {"task": "http.request", "payload": {"url": "https://example.com/"}}
    for name in [*JOB, "run_at", "unknown"]:
        for value in rubbish.VALUES:
            door.ask("POST", "/v1/jobs", content=written(sound | {name: value}), headers=JSON)


@pytest.mark.parametrize("name", [*JOB, *SCHEDULE, *CHANGE])
def test_a_field_that_is_not_ours_is_refused(name: str, door: Door) -> None:
    for method, path, sound in BODIES:
        answer = door.ask(method, path, json=sound | {f"{name}_": 1})
        assert answer.status_code == 422
        assert {"pointer": f"/{name}_", "detail": "Extra inputs are not permitted"} in answer.json()["errors"]


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "garbage",
            "/",
        ),
        *("application/jsonp", "application/json5", "json", "text/json", "application/octet-stream", "*/*", "", None),
    ],
)
@pytest.mark.parametrize(("method", "path", "sound"), BODIES, ids=["job", "mail", "schedule", "change"])
def test_a_body_that_is_not_called_json(kind: str | None, method: str, path: str, sound: Any, door: Door) -> None:
    headers = {} if kind is None else {"content-type": kind}
    assert door.ask(method, path, content=written(sound), headers=headers).status_code == 415


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/cloudevents+json"]
)
def test_a_body_that_is_called_json(kind: str, door: Door) -> None:
    assert door.ask("POST", "/v1/jobs", content=written(JOB), headers={"content-type": kind}).status_code == 202


@pytest.mark.parametrize(("extra", "status"), [(-1, 202), (0, 202), (1, 413), (1_000_000, 413)])
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_the_size_limit_is_exact(extra: int, status: int, chunked: bool, door: Door) -> None:
    body = written(JOB).encode()
    body += b" " * (settings().payload_limit + extra - len(body))
    given = iter([body[:1000], body[1000:]]) if chunked else body
    assert door.ask("POST", "/v1/jobs", content=given, headers=JSON).status_code == status


def test_a_stream_without_end_is_cut_off(door: Door) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    head = authorized(door, b"Transfer-Encoding: chunked")
    assert door.say("POST", "/v1/jobs", head, *[chunk] * 200) == 413


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_body_too_large_is_refused_by_every_route(method: str, path: str, door: Door) -> None:
    assert door.say(method, path, authorized(door, b"Content-Length: 99999999"), b"{}") == 413


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"Content-Length: -1", 400),
        (b"Content-Length: 1e3", 400),
        (b"Content-Length: 99999999999999999999999999", 400),
        (b"Content-Length: 2\r\nContent-Length: 3", 400),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        (b"Content-Length: 100", None),  # and the caller leaves
        (b"Transfer-Encoding: chunked", 400),  # and the body is not
        (b"Content-Length: 1", 400),  # the rest is no part of it
        (b"Content-Length: 2\r\nTransfer-Encoding: gzip", 400),
        (b"X: \x00", 400),
        (b"X\x80: 1", 400),
        (b" folded: 1", 400),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else str(value),
)
def test_heads_that_lie(lines: bytes, status: int | None, door: Door) -> None:
    assert door.say("POST", "/v1/jobs", authorized(door, lines), b"[]", leave=status is None) == status
    assert door.ask("GET", "/livez").status_code == 200


def test_a_head_without_end(door: Door) -> None:
    assert door.say("GET", "/livez", *[b"X: " + b"x" * 60_000 + b"\r\n"] * 20, b"\r\n") in {200, 400}


@pytest.mark.parametrize(
    "path", ["*", "//v1/jobs", "/v1/../v1/jobs", "/v1/jobs/\xff", "/v1/jobs?task=\xff", "http://other/v1/jobs", "/%"]
)
def test_request_lines(path: str, door: Door) -> None:
    status = door.say("GET", path, authorized(door, b"Accept: */*"))
    assert status in {200, 400, 404}


@pytest.mark.parametrize(
    "path", ["//v1/jobs", "/v1//jobs", "/%76%31/jobs", "/v1%2fjobs", "/./v1/jobs", "/V1/jobs", "http://livez/v1/jobs"]
)
@pytest.mark.parametrize("host", [b"door", b"livez?", b"livez/#", b"[", b"a@b", b""])
def test_no_spelling_of_a_path_gets_past_the_key(path: str, host: bytes, door: Door) -> None:
    assert door.say("GET", path, b"Host: " + host + b"\r\n\r\n") in {400, 401, 404}


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "=", "====", "a" * 201, "\x00", "💩", "..", "AAAA", "00000000", "MDE5ODAwMDAwMDAwNzAwMDgwMDAwMDAwMDAwMDAwMDA"],
)
def test_cursors_that_we_never_gave_out(cursor: str, door: Door) -> None:
    assert door.ask("GET", "/v1/jobs", params={"cursor": cursor}).status_code == 422


def test_what_was_fine_before_is_fine_after(door: Door) -> None:
    for method, path, sound in BODIES:
        assert door.ask(method, path, json=sound).status_code in {200, 201, 202}
    for task in catalogue.all():
        assert door.post_job(task.name, payload={**task.example, **whom(task)}).status_code == 202
    assert json.loads(door.ask("GET", "/readyz").content)["status"] == "ready"


def authorized(door: Door, lines: bytes) -> bytes:
    """The rest of a head, with an admin's key."""
    key = b"Authorization: Bearer " + door.keys["admin"].encode()
    return b"\r\n".join([key, b"Content-Type: application/json", lines, b"", b""])
