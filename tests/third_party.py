"""A third party of our own: it counts calls and effects by Idempotency-Key, and misbehaves when asked.

The path says how it behaves towards the first `times` calls (1 by default) with a key; from then on it is well:

    /effect     well from the first
    /flaky      503, come again in a second
    /broken     500, nothing done
    /busy       429, come again in `after` seconds, nothing done
    /reset      does it, and resets the connection without an answer
    /drip       does it, and answers a byte at a time for `seconds`

Any of them takes `ms` milliseconds over it. `leave` and `come_back` are for the whole of it.
"""

import json
import socket
import struct
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
        self._serve(listener or socket.create_server(("127.0.0.1", 0), backlog=_Server.request_queue_size))

    def _serve(self, listener: socket.socket) -> None:
        self.address = listener.getsockname()
        self.server = _Server(("", 0), _handler(self), bind_and_activate=False)
        self.server.socket.close()
        self.server.socket = listener
        threading.Thread(target=self.server.serve_forever, name="third-party", daemon=True).start()

    @property
    def url(self) -> str:
        host, port = self.address
        return f"http://{host}:{port}"

    def count(self) -> int:
        """How many calls it has answered."""
        with self.lock:
            return sum(map(len, self.calls.values()))

    def overlapping(self) -> list[str]:
        """Keys for which two calls were open at one time."""
        with self.lock:
            return [key for key, spans in self.calls.items() if _overlap(sorted(spans))]

    def leave(self) -> None:
        """Be away: connections are refused."""
        self.server.shutdown()
        self.server.server_close()

    def come_back(self) -> None:
        """Be there again, at the same address."""
        self._serve(socket.create_server(self.address, backlog=_Server.request_queue_size))

    def close(self) -> None:
        self.leave()


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
                conduct = path if party.refusals[key] < int(options.get("times", 1)) else "/effect"
                party.refusals[key] += conduct != "/effect"
                if conduct in {"/effect", "/reset", "/drip"}:
                    party.effects.add(key)
            self._behave(conduct, options)

        do_GET = do_POST

        def _behave(self, conduct: str, options: dict[str, str]) -> None:
            match conduct:
                case "/flaky":
                    self._answer(503, {"Retry-After": "1"})
                case "/broken":
                    self._answer(500, {})
                case "/busy":
                    self._answer(429, {"Retry-After": options.get("after", "1")})
                case "/reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                case "/drip":
                    self._drip(float(options.get("seconds", 5)))
                case _:
                    self._answer(200, {})

        def _drip(self, seconds: float) -> None:
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                self.wfile.write(b" ")
                time.sleep(0.1)
            self.close_connection = True

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
