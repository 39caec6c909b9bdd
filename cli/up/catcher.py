"""A small endpoint on this machine for the first job to call, and for the curl lines that are printed."""

import json
import threading
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cli.up.ports import HOST

REMEMBERED = 1000


class Catcher:
    """Answers 200 to everything, except that a path below /flaky/ gets one 503 with `Retry-After: 1` first."""

    def __init__(self, port: int) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._server = ThreadingHTTPServer((HOST, port), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://{HOST}:{self._server.server_port}"

    def open(self) -> None:
        """Answer from now on, as long as this process lives."""
        threading.Thread(target=self._server.serve_forever, args=(3600,), daemon=True, name="catcher").start()

    def close(self) -> None:
        """Let the port go."""
        self._server.server_close()

    def status(self, path: str) -> int:
        """What a request to the path is answered with."""
        if not path.startswith("/flaky/") or path in self._seen:
            return 200
        self._seen[path] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return 503

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        catcher = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def answer(self) -> None:
                """Take the body, answer with a line of JSON."""
                received = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 1_000_000))
                status = catcher.status(self.path)
                body = json.dumps({"received": len(received)}).encode()
                self.send_response(status)
                if status == 503:
                    self.send_header("Retry-After", "1")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815 - http.server's names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                """Say nothing: the terminal belongs to the supervisor."""

        return Handler
