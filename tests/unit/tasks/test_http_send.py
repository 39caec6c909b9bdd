"""One call: what it sends, how it ends when the other side misbehaves, and that nothing outlasts or outgrows its bounds."""

import gzip
import os
import socket
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from jobs.errors import Ambiguous, Cancelled, LeaseLost, Rejected, TimedOut, Transient
from runtime import clock
from tasks import http
from tasks.context import Context
from tests.unit.tasks.peers import Handle, Trap, read_request

Serve = Callable[[Handle], int]
SOON = timedelta(milliseconds=500)


@pytest.fixture(autouse=True)
def _loopback_allowed(configure: Callable[..., None]) -> None:
    configure(allow_private_targets=1)


def says(answer: bytes) -> Handle:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    return handle


def test_what_is_sent(httpserver: HTTPServer, attempt: Context) -> None:
    attempt.traceparent, attempt.request_id = "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "req-1"
    httpserver.expect_request("/").respond_with_data("ok")
    http.send("PUT", httpserver.url_for("/?a=1"), headers={"X-Mine": "1"}, json={"a": [1]})
    request, _ = httpserver.log[0]
    assert request.method == "PUT"
    assert request.args["a"] == "1"
    assert request.get_json() == {"a": [1]}
    assert request.headers["X-Mine"] == "1"
    assert request.headers["User-Agent"].startswith("treadle/")
    assert request.headers["Traceparent"] == attempt.traceparent
    assert request.headers["X-Request-Id"] == "req-1"
    http.send("POST", httpserver.url_for("/"), headers={"USER-AGENT": "mine"}, form={"a": ["1", "2"], "b": "ü"})
    request, _ = httpserver.log[1]
    assert request.headers.getlist("User-Agent") == ["mine"]
    assert request.form.to_dict(flat=False) == {"a": ["1", "2"], "b": ["ü"]}
    http.send("POST", httpserver.url_for("/"), parts=[("a", "1"), ("b", "ü\r\n"), ("a", "2")])
    request, _ = httpserver.log[2]
    assert request.mimetype == "multipart/form-data"
    assert request.form.to_dict(flat=False) == {"a": ["1", "2"], "b": ["ü\r\n"]}


def test_no_cookie_passes_from_one_job_to_the_next(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("ok", headers={"Set-Cookie": "session=another-tenant; Path=/"})
    http.send("GET", httpserver.url_for("/"))
    http.send("GET", httpserver.url_for("/"))
    assert "Cookie" not in httpserver.log[1][0].headers


def test_connections_are_shared_and_used_again(serve: Serve) -> None:
    connections = []

    def handle(connection: socket.socket) -> None:
        connections.append(connection)
        while read_request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    url = f"http://127.0.0.1:{serve(handle)}/"
    for _ in range(5):
        assert http.send("GET", url).body == b"ok"
    assert len(connections) == 1
    http.close()


def test_many_threads_share_the_pool(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_handler(lambda request: Response(request.args["n"]))
    with ThreadPoolExecutor(16) as threads:
        bodies = threads.map(lambda n: http.send("GET", httpserver.url_for(f"/?n={n}")).body, range(200))
        assert [int(body) for body in bodies] == list(range(200))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_makes_its_own_connections_and_locks() -> None:
    parent = http._pool.transport()
    with http._pool._lock:  # as if another thread of the parent were within
        child = os.fork()
        if child == 0:
            fine = http._pool._lock.acquire(timeout=1) and http._pool._transport is None
            os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert http._pool.transport() is parent


def test_a_body_beyond_the_cap_is_left_unread(serve: Serve) -> None:
    sent = []

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        try:
            while True:
                sent.append(connection.send(b"x" * 65_536))
        except OSError:
            return

    reply = http.send("GET", f"http://127.0.0.1:{serve(handle)}/", keep=100_000)
    assert len(reply.body) == 100_000
    assert reply.truncated
    assert sum(sent) < 50_000_000


def bomb(coding: str) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(200)) + packer.flush()
    return gzip.compress(packed) if coding == "gzip, gzip" else packed


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip"])
def test_a_gzip_bomb_stops_at_the_cap(coding: str, serve: Serve) -> None:
    packed = bomb(coding)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    reply = http.send("GET", f"http://127.0.0.1:{serve(says(head + packed))}/")
    assert len(reply.body) == http.KEPT
    assert reply.truncated


@pytest.mark.parametrize("coding", ["gzip", "deflate", ", ".join(["gzip"] * 50)])
def test_a_body_that_cannot_be_unpacked_is_still_an_answer(coding: str, serve: Serve) -> None:
    answer = (
        f"HTTP/1.1 201 Created\r\nContent-Encoding: {coding}\r\nContent-Length: 4\r\n\r\n".encode() + b"\xff\xfe\xfd\xfc"
    )
    reply = http.send("GET", f"http://127.0.0.1:{serve(says(answer))}/")
    assert (reply.status, reply.truncated) == (201, True)


BROKEN = [
    (b"", Ambiguous, "dropped"),
    (b"HTTP/1.1 200", Ambiguous, "dropped"),
    (b"SSH-2.0-OpenSSH_9.6\r\n", Ambiguous, "dropped"),
    (b"\x16\x03\x01\x00\x00", Ambiguous, "dropped"),
    (b"HTTP/1.1 200 OK\r\n" + b"X-Endless: x\r\n" * 20_000, Ambiguous, "dropped"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Ambiguous, "dropped"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Ambiguous, "dropped"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Length: 20\r\n\r\n", Ambiguous, "dropped"),
]


@pytest.mark.parametrize(("answer", "kind", "code"), BROKEN)
def test_a_broken_answer_is_ambiguous(answer: bytes, kind: type[Ambiguous], code: str, serve: Serve) -> None:
    with pytest.raises(kind) as caught:
        http.send("POST", f"http://127.0.0.1:{serve(says(answer))}/?key=hunter2", content=b"x")
    assert caught.value.code == code
    assert "hunter2" not in str(caught.value)


def test_a_failure_is_judged_though_its_body_breaks_off(serve: Serve) -> None:
    answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\nRetry-After: 4\r\n\r\nhalf"
    reply = http.send("GET", f"http://127.0.0.1:{serve(says(answer))}/")
    assert (reply.status, reply.body, reply.truncated) == (503, b"half", True)


def drips(head: bytes) -> Handle:
    """Sends `head`, then a byte each 20 ms: each single read succeeds, the whole never ends."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head)
        pause = threading.Event()
        while True:
            connection.sendall(b"x")
            pause.wait(0.02)

    return handle


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"])
def test_a_slow_drip_ends_with_the_time_given(head: bytes, serve: Serve) -> None:
    started = time.monotonic()
    with pytest.raises(Ambiguous) as caught:
        http.send("GET", f"http://127.0.0.1:{serve(drips(head))}/", timeout=SOON)
    assert caught.value.code == "timeout"
    assert time.monotonic() - started < 10


def test_a_reader_that_never_reads_ends_with_the_time_given(serve: Serve) -> None:
    asleep = threading.Event()
    port = serve(lambda _: asleep.wait(20) and None)
    try:
        with pytest.raises(Ambiguous):
            http.send("POST", f"http://127.0.0.1:{port}/", content=b"x" * 20_000_000, timeout=SOON)
    finally:
        asleep.set()


def test_the_attempts_own_limit_cuts_the_call_short(serve: Serve, attempt: Context) -> None:
    attempt.deadline = clock.monotonic() + 0.5
    with pytest.raises(TimedOut):
        http.send("GET", f"http://127.0.0.1:{serve(drips(b''))}/", timeout=timedelta(hours=1))


def test_no_call_without_time_trust_or_wish(attempt: Context, trap: Trap) -> None:
    url = f"http://127.0.0.1:{trap.port}/"
    for refusal, change in (
        (Cancelled, {"is_cancelled": lambda: True}),
        (LeaseLost, {"is_trusted": lambda: False}),
        (TimedOut, {"deadline": 0.0}),
    ):
        before = {name: getattr(attempt, name) for name in change}
        attempt.__dict__.update(change)
        with pytest.raises(refusal):
            http.send("GET", url)
        attempt.__dict__.update(before)
    assert trap.connections() == 0


def test_no_answer_from_a_full_listener_is_transient_or_ambiguous_but_bounded(trap: Trap) -> None:
    with pytest.raises((Transient, Ambiguous)):
        http.send("GET", f"http://127.0.0.1:{trap.port}/", timeout=SOON)


# Redirects


def hop(httpserver: HTTPServer, path: str, to: str, status: int = 302) -> None:
    httpserver.expect_request(path).respond_with_data("", status=status, headers={"Location": to})


def test_redirects_are_not_followed_unless_asked(httpserver: HTTPServer) -> None:
    hop(httpserver, "/a", "/b")
    reply = http.send("GET", httpserver.url_for("/a"))
    assert reply.status == 302
    assert len(httpserver.log) == 1
    with pytest.raises(Rejected, match="not followed"):
        http.raise_for(reply)


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [
        *(("POST", status, "GET") for status in (301, 302, 303)),
        *(("POST", status, "POST") for status in (307, 308)),
        *(("PUT", status, "PUT") for status in (301, 302, 307)),
        *(("PUT", 303, "GET"), ("HEAD", 303, "HEAD"), ("GET", 302, "GET")),
    ],
)
def test_the_method_and_body_after_a_redirect(method: str, status: int, then: str, httpserver: HTTPServer) -> None:
    hop(httpserver, "/a", "/b?x=1", status)
    httpserver.expect_request("/b").respond_with_data("there")
    body = None if method in {"GET", "HEAD"} else b"body"
    kind = {"Content-Type": "text/x"} if body else {}
    reply = http.send(method, httpserver.url_for("/a"), content=body, headers={"Authorization": "s", **kind}, redirects=5)
    assert (reply.status, reply.method) == (200, then)
    request = httpserver.log[1][0]
    assert request.method == then
    assert request.get_data() == (body or b"" if then == method else b"")
    assert ("Content-Type" in request.headers) == bool(body and then == method)
    assert request.headers["Authorization"] == "s"  # the same origin


def test_secrets_do_not_go_to_another_origin(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/there").respond_with_data("ok")
    hop(httpserver, "/a", f"http://127.0.0.1:{httpserver.port}/there", 307)
    url = httpserver.url_for("/a")
    assert "localhost" in url
    secret = ["Authorization", "Cookie", "X-Api-Key", "X-Auth-Token", "Private-Token", "Webhook-Signature", "Client-Secret"]
    http.send("POST", url, headers=dict.fromkeys(secret, "s") | {"X-Plain": "1", "Idempotency-Key": "k"}, redirects=1)
    went = httpserver.log[1][0].headers
    assert not [name for name in secret if name in went]
    assert (went["X-Plain"], went["Idempotency-Key"], went["Host"]) == ("1", "k", f"127.0.0.1:{httpserver.port}")


def test_redirects_end(httpserver: HTTPServer) -> None:
    hop(httpserver, "/loop", "/loop")
    reply = http.send("GET", httpserver.url_for("/loop"), redirects=5)
    assert reply.status == 302
    assert len(httpserver.log) == 6


@pytest.mark.parametrize(
    "to", ["ftp://example.com/", "file:///etc/passwd", "http://u:p@example.com/", "http://[bad", "javascript:1"]
)
def test_a_redirect_to_what_is_no_target_is_rejected(to: str, serve: Serve) -> None:
    answer = f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()
    with pytest.raises(Rejected, match="no target"):
        http.send("GET", f"http://127.0.0.1:{serve(says(answer))}/", redirects=5)


def test_a_final_status_is_not_followed(httpserver: HTTPServer) -> None:
    hop(httpserver, "/a", "/b")
    assert http.send("GET", httpserver.url_for("/a"), redirects=5, final=[302]).status == 302


def test_no_connection_after_a_redirect_is_ambiguous_for_the_first_call_was_made(httpserver: HTTPServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    hop(httpserver, "/a", f"http://127.0.0.1:{port}/", 303)
    with pytest.raises(Ambiguous):
        http.send("POST", httpserver.url_for("/a"), redirects=1)


def test_all_hops_share_one_time(serve: Serve) -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        threading.Event().wait(0.2)
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with pytest.raises(Ambiguous):
        http.send("GET", f"http://127.0.0.1:{serve(handle)}/", redirects=5, timeout=SOON)


@pytest.mark.parametrize(
    "headers", [{"X": "a\r\nEvil: 1"}, {"X\r\nEvil": "1"}, {"X": "a\0b"}, {"X": "é"}, {"": "1"}, {"a b": "1"}]
)
def test_a_header_that_would_inject_is_never_sent(headers: dict[str, str], httpserver: HTTPServer) -> None:
    with pytest.raises(Rejected):
        http.send("GET", httpserver.url_for("/"), headers=headers)
    assert not httpserver.log


def test_elapsed_is_told(httpserver: HTTPServer) -> None:
    def handle(_: Request) -> Response:
        threading.Event().wait(0.05)
        return Response("late")

    httpserver.expect_request("/").respond_with_handler(handle)
    assert timedelta(milliseconds=45) < http.send("GET", httpserver.url_for("/")).elapsed < timedelta(seconds=5)
