"""A lean HTTP client that loads a server: keep-alive connections, each sending its next request when it has its answer."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop


def post(path: str, body: dict[str, Any], key: str = "") -> bytes:
    """A request as bytes, made once and sent many times."""
    content = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json", f"content-length: {len(content)}"]
    lines += [f"authorization: Bearer {key}"] if key else []
    return "\r\n".join([*lines, "", ""]).encode() + content


@dataclass
class Load:
    """What came of it."""

    waits: list[float] = field(default_factory=list)  # seconds from request to answer
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.waits) / self.seconds


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, load: Load, until: float, left: list[int]) -> None:
        self.request, self.load, self.until, self.left = request, load, until, left
        self.buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._send()

    def _send(self) -> None:
        if self.left[0] <= 0 or time.perf_counter() >= self.until:
            self.transport.close()
            self.done.set_result(None)
            return
        self.left[0] -= 1
        self.sent = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found or len(rest) < _length(head):
            return
        self.buffer = b""
        self.load.waits.append(time.perf_counter() - self.sent)
        self.load.statuses[int(head[9:12])] += 1
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server hung up"))


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + 15
    return int(lower[start:].split(b"\r\n", 1)[0])


def load(port: int, request: bytes, connections: int, *, seconds: float = 600, count: int = 10**9) -> Load:
    """Send the request over and over, for so many seconds or so many times.

    Raises:
        AssertionError: some were not accepted.
    """
    found = uvloop.run(_load(port, request, connections, seconds, count))
    assert set(found.statuses) == {202}, f"not all were accepted: {found.statuses}"
    return found


async def _load(port: int, request: bytes, connections: int, seconds: float, count: int) -> Load:
    found, left, began = Load(), [count], time.perf_counter()
    loop = asyncio.get_running_loop()
    open_ = [
        loop.create_connection(lambda: _Connection(request, found, began + seconds, left), "127.0.0.1", port)
        for _ in range(connections)
    ]
    for protocol in [protocol for _, protocol in await asyncio.gather(*open_)]:
        await protocol.done
    found.seconds = time.perf_counter() - began
    return found
