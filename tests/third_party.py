"""A third party of our own: it counts calls and effects by Idempotency-Key, and misbehaves when asked."""

import json
import socket
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any


class ThirdParty:
    """An HTTP server in a thread. `/effect?ms=20` takes that long, and has one effect a key, as a keyed provider would."""

    def __init__(self, listener: socket.socket | None = None) -> None:
        self.calls: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.bodies: dict[str, Any] = {}
        self.refusals: dict[str, int] = defaultdict(int)
        self.effects: set[str] = set()
        self.lock = threading.Lock()
        self.listener = listener or socket.create_server(("127.0.0.1", 0), backlog=_Server.request_queue_size)
        self.server = _Server(("", 0), _handler(self), bind_and_activate=False)
        self.server.socket.close()
        self.server.socket = self.listener
        threading.Thread(target=self.server.serve_forever, name="third-party", daemon=True).start()

    @property
    def url(self) -> str:
        host, port = self.listener.getsockname()
        return f"http://{host}:{port}"

    def count(self) -> int:
        """How many calls it has answered."""
        with self.lock:
            return sum(map(len, self.calls.values()))

    def overlapping(self) -> list[str]:
        """Keys for which two calls were open at one time."""
        with self.lock:
            return [key for key, spans in self.calls.items() if _overlap(sorted(spans))]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, *_: Any) -> None:
        """A client that was killed in mid-call is no error here."""


def _overlap(spans: list[tuple[float, float]]) -> bool:
    return any(later[0] < earlier[1] for earlier, later in pairwise(spans))


def _handler(party: ThirdParty) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path, _, query = self.path.partition("?")
            options = dict(part.split("=") for part in query.split("&") if part)
            key, started = self.headers.get("idempotency-key", ""), time.monotonic()
            time.sleep(int(options.get("ms", 0)) / 1000)
            with party.lock:
                party.calls[key].append((started, time.monotonic()))
                party.bodies[key] = json.loads(body or b"null")
                refuse = path == "/flaky" and party.refusals[key] < int(options.get("times", 1))
                party.refusals[key] += refuse
                if not refuse:
                    party.effects.add(key)
            self._answer(503 if refuse else 200, {"Retry-After": "1"} if refuse else {})

        do_GET = do_POST

        def _answer(self, status: int, headers: dict[str, str]) -> None:
            content = b'{"done": true}'
            self.send_response(status)
            for name, value in {**headers, "content-type": "application/json", "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Silence."""

    return Handler
