"""The sandbox's one address: below it the providers' stand-ins, a webhook catcher, and the page of what was caught."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from cli.sandbox import page
from cli.sandbox.caught import Caught
from cli.sandbox.stand_in import Said

LARGEST = 32 * 1024 * 1024  # bytes


class Sandbox(ThreadingHTTPServer):
    """The server."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], caught: Caught) -> None:
        self.caught = caught
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, handler: "_Handler") -> Said:
        """What is said to a request."""
        url = urlsplit(handler.path)
        match handler.command, url.path:
            case "GET", "/":
                return Said(body=page.drawn(self.caught, self.url).encode(), headers={"content-type": page.TYPE})
            case "GET", "/caught":
                return Said(json=self.caught.shown())
        headers = {name.lower(): value for name, value in handler.headers.items()}
        return self.caught.call(handler.command, url.path, url.query, headers, handler.body())


class _Handler(BaseHTTPRequestHandler):
    server: Sandbox
    protocol_version = "HTTP/1.1"
    timeout = 60

    def answer(self) -> None:
        """Answer a request, whatever its method."""
        said = self.server.answer(self)
        content = said.content()
        self.send_response(said.status)
        for name, value in {"content-type": "application/json", **said.headers}.items():
            self.send_header(name, value)
        if said.status != 204:
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815 - http.server's names

    def body(self) -> bytes:
        """The request's body."""
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        return self.rfile.read(min(int(self.headers.get("content-length") or 0), LARGEST))

    def _chunks(self) -> bytes:
        found = list[bytes]()
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            found.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(found)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: the page says it all."""
