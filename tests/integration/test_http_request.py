"""http.request, as the catalogue runs it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from pytest_httpserver import HTTPServer

from jobs.errors import Ambiguous, Invalid, RateLimited, Rejected, Transient, Unauthorized
from tasks import Context, catalogue, http, load
from tasks.context import enter, leave
from tests.unit.tasks.peers import read_request, serving


@pytest.fixture(autouse=True)
def context(configure: Callable[..., None]) -> Iterator[Context]:
    configure(allow_private_targets=1)
    load()
    attempt = Context(job_id=uuid4(), task="http.request")
    token = enter(attempt)
    yield attempt
    leave(token)
    http.close()


def run(context: Context, **payload: Any) -> Any:
    task = catalogue.find("http.request")
    return task.call(task.read(payload), context)


def test_a_call_and_its_result(httpserver: HTTPServer, context: Context) -> None:
    headers = {"ETag": '"1"', "Set-Cookie": "secret=1", "X-Request-Id": "theirs"}
    httpserver.expect_request("/a", method="POST").respond_with_json({"fine": [1, None, "ü"]}, status=201, headers=headers)
    result = run(context, method="POST", url=httpserver.url_for("/a?x=1"), json={"b": 2}, headers={"X-Mine": "1"})
    assert result["status"] == 201
    assert result["json"] == {"fine": [1, None, "ü"]}
    assert result["truncated"] is False
    assert "body" not in result
    assert 0 <= result["elapsed_ms"] < 60_000
    assert result["headers"]["etag"] == '"1"'
    assert result["headers"]["x-request-id"] == "theirs"
    assert "set-cookie" not in result["headers"]
    request = httpserver.log[0][0]
    assert request.get_json() == {"b": 2}
    assert request.headers["X-Mine"] == "1"
    assert request.headers["Idempotency-Key"] == str(context.job_id)


def test_each_attempt_sends_the_same_key_and_the_callers_wins(httpserver: HTTPServer, context: Context) -> None:
    httpserver.expect_request("/").respond_with_data("ok")
    url = httpserver.url_for("/")
    run(context, url=url)
    context.attempt = 2
    run(context, url=url)
    run(context, url=url, headers={"IDEMPOTENCY-KEY": "mine"})
    keys = [request.headers.getlist("Idempotency-Key") for request, _ in httpserver.log]
    assert keys == [[str(context.job_id)], [str(context.job_id)], ["mine"]]


@pytest.mark.parametrize(
    ("body", "kind", "sent"),
    [
        ({"json": None}, "application/json", b"null"),
        ({"json": [1, "ü"]}, "application/json", b'[1, "\\u00fc"]'),
        ({"body": "ü"}, "text/plain; charset=utf-8", "ü".encode()),
        ({"body": ""}, "text/plain; charset=utf-8", b""),
        ({"body": "<a/>", "headers": {"content-TYPE": "application/xml"}}, "application/xml", b"<a/>"),
        ({"form": {"a": ["1", "2"], "b": "&"}}, "application/x-www-form-urlencoded", b"a=1&a=2&b=%26"),
        ({}, None, b""),
    ],
)
def test_bodies(body: dict[str, Any], kind: str | None, sent: bytes, httpserver: HTTPServer, context: Context) -> None:
    got: list[bytes] = []

    def handle(request: Any) -> Any:
        got.append(request.get_data(parse_form_data=False))
        return http_ok()

    httpserver.expect_request("/").respond_with_handler(handle)
    run(context, method="PUT", url=httpserver.url_for("/"), **body)
    assert got == [sent]
    assert httpserver.log[0][0].headers.get("Content-Type") == kind


def http_ok() -> Any:
    from werkzeug import Response  # noqa: PLC0415 - only here

    return Response("ok")


@pytest.mark.parametrize(
    ("body", "kind", "want"),
    [
        (b"plain", "text/plain", {"body": "plain", "truncated": False}),
        (b"", "text/plain", {"body": "", "truncated": False}),
        (b"x" * 16_385, "text/plain", {"body": "x" * 16_384, "truncated": True}),
        (b'{"a": 1}', "application/problem+json", {"json": {"a": 1}, "truncated": False}),
        (b"{not json", "application/json", {"body": "{not json", "truncated": False}),
        (b"[NaN]", "application/json", {"body": "[NaN]", "truncated": False}),
        (b"[1e999]", "application/json", {"body": "[1e999]", "truncated": False}),
        (b'["\\u0000"]', "application/json", {"body": '["\\u0000"]', "truncated": False}),
        (b'{"\\u0000": 1}', "application/json", {"body": '{"\\u0000": 1}', "truncated": False}),
        (b'["\\ud800"]', "application/json", {"body": '["\\ud800"]', "truncated": False}),
        (b'["\\ud83d\\ude00"]', "application/json", {"json": ["😀"], "truncated": False}),
        (b"[" * 100_000 + b"]" * 30_000, "application/json", {"body": "[" * 16_384, "truncated": True}),
        (b"[" * 80 + b"]" * 80, "application/json", {"body": "[" * 80 + "]" * 80, "truncated": False}),
        (b"[" + b"9" * 5000 + b"]", "application/json", {"body": "[" + "9" * 5000 + "]", "truncated": False}),
        (b"\xff\x00", "text/plain", {"body": "��", "truncated": False}),
        (b'"' + b"x" * 140_000 + b'"', "application/json", {"body": '"' + "x" * 16_383, "truncated": True}),
    ],
)
def test_the_body_in_the_result(
    body: bytes, kind: str, want: dict[str, Any], httpserver: HTTPServer, context: Context
) -> None:
    httpserver.expect_request("/").respond_with_data(body, content_type=kind)
    result = run(context, method="GET", url=httpserver.url_for("/"))
    assert {name: result[name] for name in ("body", "json", "truncated") if name in result} == want


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, Rejected), (401, Unauthorized), (403, Rejected), (429, RateLimited), (503, Transient), (302, Rejected)],
)
def test_failures(status: int, kind: type[Exception], httpserver: HTTPServer, context: Context) -> None:
    httpserver.expect_request("/").respond_with_data("because", status=status, headers={"Retry-After": "9", "Location": "/"})
    url = httpserver.url_for("/?key=hunter2")
    with pytest.raises(kind) as caught:
        run(context, method="GET", url=url)
    assert type(caught.value) is kind
    assert "hunter2" not in str(caught.value)
    if isinstance(caught.value, Transient):
        assert caught.value.after == timedelta(seconds=9)
    assert run(context, method="GET", url=url, success=[status])["status"] == status


@pytest.mark.parametrize("times", [True, 2])
def test_redirects_on_request(times: bool | int, httpserver: HTTPServer, context: Context) -> None:
    httpserver.expect_request("/a").respond_with_data("", status=302, headers={"Location": "/b"})
    httpserver.expect_request("/b").respond_with_data("there")
    assert run(context, method="GET", url=httpserver.url_for("/a"), follow_redirects=times)["body"] == "there"


def test_a_connection_that_drops_is_ambiguous_and_retried_by_default(context: Context) -> None:
    with serving() as serve, pytest.raises(Ambiguous):
        run(context, url=f"http://127.0.0.1:{serve(lambda connection: read_request(connection) and None)}/")
    assert catalogue.find("http.request").retry.on_unknown == "retry"


def test_private_targets_are_refused(configure: Callable[..., None], httpserver: HTTPServer, context: Context) -> None:
    configure(allow_private_targets=0)
    with pytest.raises(Rejected, match="TREADLE_ALLOW_PRIVATE_TARGETS=1"):
        run(context, url=httpserver.url_for("/"))
    assert not httpserver.log


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"url": "ftp://example.com/"}, "/payload/url"),
        ({"url": "https://user:hunter2@example.com/"}, "/payload/url"),
        ({"url": "https://example.com/" + "x" * 2048}, "/payload/url"),
        ({"url": "https://example.com/\r\nX: 1"}, "/payload/url"),
        ({"method": "TRACE"}, "/payload/method"),
        ({"method": "get"}, "/payload/method"),
        ({"nonsense": 1}, "/payload/nonsense"),
        ({"json": 1, "body": "x"}, "/payload"),
        ({"json": None, "form": {}}, "/payload"),
        ({"headers": {"Host": "other"}}, "/payload"),
        ({"headers": {"content-length": "0"}}, "/payload"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "/payload"),
        ({"headers": {"Connection": "close"}}, "/payload"),
        ({"headers": {"Proxy-Authorization": "x"}}, "/payload"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "/payload"),
        ({"headers": {"X": "a\r\nEvil: 1"}}, "/payload/headers/X"),
        ({"headers": {"X": "a\n"}}, "/payload/headers/X"),
        ({"headers": {"X": " a"}}, "/payload/headers/X"),
        ({"headers": {"X": "a\0"}}, "/payload/headers/X"),
        ({"headers": {"X": "é"}}, "/payload/headers/X"),
        ({"headers": {"X": "a" * 8193}}, "/payload/headers/X"),
        ({"headers": {"X\r\nEvil": "1"}}, None),
        ({"headers": {"X\n": "1"}}, None),
        ({"headers": {"": "1"}}, None),
        ({"headers": {"X:Y": "1"}}, None),
        ({"headers": {f"X-{n}": "1" for n in range(51)}}, "/payload/headers"),
        ({"timeout": "31m"}, "/payload/timeout"),
        ({"timeout": 0}, "/payload/timeout"),
        ({"follow_redirects": 6}, None),
        ({"success": [99]}, "/payload/success/0"),
    ],
)
def test_payloads_that_cannot_be(change: dict[str, Any], pointer: str | None) -> None:
    with pytest.raises(Invalid) as caught:
        catalogue.find("http.request").read({"method": "POST", "url": "https://example.com/"} | change)
    if pointer is not None:
        assert caught.value.errors[0]["pointer"] == pointer
    assert "hunter2" not in str(caught.value)


def test_the_examples_of_the_catalogue_are_payloads_and_the_schemas_can_be_made() -> None:
    for name in ("http.request", "webhook.deliver", "email.send"):
        task = catalogue.find(name)
        task.read(task.example)
        assert task.summary
        assert task.schema()["additionalProperties"] is False
    assert set(catalogue.find("http.request").schema()["properties"]) >= {"json", "body", "form", "url", "method"}
