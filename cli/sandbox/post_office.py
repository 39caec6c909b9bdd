"""A mail server that takes every mail and delivers none. It speaks as much SMTP as a client needs that does not log in."""

import re
from socketserver import StreamRequestHandler, ThreadingTCPServer

from cli.sandbox.caught import Caught

LARGEST = 32 * 1024 * 1024  # bytes
_ADDRESS = re.compile(r"<([^<>]*)>")


class PostOffice(ThreadingTCPServer):
    """The server. What it takes goes to `caught`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], caught: Caught) -> None:
        self.caught = caught
        super().__init__(address, _Session)


class _Session(StreamRequestHandler):
    server: PostOffice
    timeout = 60

    def handle(self) -> None:
        """Talk until the client says good-bye, or nothing."""
        self._say("220 treadle sandbox")
        sender, recipients = "", list[str]()
        while line := self.rfile.readline(2000).decode(errors="replace").strip():
            match line[:4].upper():
                case "EHLO":
                    self._say(f"250-sandbox\r\n250-8BITMIME\r\n250 SIZE {LARGEST}")
                case "MAIL":
                    sender, recipients = _address(line), []
                    self._say("250 OK")
                case "RCPT":
                    recipients.append(_address(line))
                    self._say("250 OK")
                case "DATA":
                    self._say("354 Go on")
                    self.server.caught.mail(sender, recipients, self._content())
                    self._say("250 Taken")
                case "QUIT":
                    self._say("221 Bye")
                    return
                case "HELO" | "RSET" | "NOOP":
                    self._say("250 OK")
                case _:
                    self._say("502 Not here")

    def _content(self) -> bytes:
        lines = list[bytes]()
        while (line := self.rfile.readline()) not in {b".\r\n", b".\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


def _address(line: str) -> str:
    found = _ADDRESS.search(line)
    return found[1] if found else ""
