"""A third party on loopback that answers as told, and remembers every request."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """A request that came, its names of headers in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Its body as JSON."""
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        """Its body as a form."""
        return dict(parse_qsl(self.body.decode()))

    def args(self) -> dict[str, str]:
        """Its query."""
        return dict(parse_qsl(self.query))

    def content(self) -> bytes:
        """Its body, without what only parts it."""
        _, parted, boundary = self.headers.get("content-type", "").partition("boundary=")
        return self.body.replace(boundary.strip('"').encode(), b"") if parted else self.body

    def echo(self) -> str:
        """All of it as text, credentials and all: what a careless third party might answer."""
        return f"{self.method} {self.path}?{self.query} {dict(self.headers)} {self.body.decode(errors='replace')}"


@dataclass(frozen=True)
class Answer:
    """What is answered: `json`, or `body` as it is."""

    status: int = 200
    json: Any = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """The body as bytes."""
        if self.body is not None:
            return self.body
        return b"" if self.json is None else json.dumps(self.json).encode()


Script = Callable[[Request], Answer | None]
"""What to answer to a request; None: the connection is cut."""


class Fake:
    """The server, in a thread. `script` may be changed at any time; `release` ends an answer that waits for it."""

    def __init__(self) -> None:
        self.reset(lambda _: None)
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def reset(self, aside: Script) -> None:
        """Forget everything. `aside` answers what is not counted; None: it has no answer."""
        self.aside = aside
        self.script: Script = lambda _: Answer()
        self.requests: list[Request] = []
        self.release = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, request: Request) -> Answer | None:
        """The answer to a request. One that the entry answers aside is not counted."""
        aside = self.aside(request)
        if aside is not None:
            return aside
        self.requests.append(request)
        return self.script(request)

    def close(self) -> None:
        """End it."""
        self.release.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512  # with 5, as is usual, some of sixteen callers at once are reset

    def handle_error(self, *_: Any) -> None:
        """A client that gave up is no error here."""


def _handler(fake: Fake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            url = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self._read()
            given = None if body is None else fake.answer(Request(self.command, url.path, url.query, headers, body))
            if given is None:
                self.close_connection = True
                return
            content = given.content()
            self.send_response(given.status)
            for name, value in {"content-type": "application/json", **given.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

        def _read(self) -> bytes | None:
            """The body; None if its sender died before it was whole: that is no request."""
            if self.headers.get("transfer-encoding", "") != "chunked":
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length)
                return body if len(body) == length else None
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_: Any) -> None:
            """Silence."""

    return Handler
