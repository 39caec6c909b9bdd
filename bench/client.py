"""A lean HTTP client that loads a server: keep-alive connections, each sending its next request when it has its answer."""

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

ACCEPTED = {200, 202}  # 200 is Flower's
REFUSED = {503}  # ours, when the database does not answer in time
WARM = 0.5  # seconds after connections were opened: to accept them is not what is measured
PATIENCE = 30  # seconds for an answer


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
    def accepted(self) -> int:
        """Of so many requests; the others were refused."""
        return sum(self.statuses[status] for status in ACCEPTED)

    @property
    def rate(self) -> float:
        """What was accepted, a second."""
        return self.accepted / self.seconds


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


def load(port: int, request: bytes, connections: int, *, seconds: float = 60, count: int = 10**9) -> Load:
    """Send the request over and over, for so many seconds or so many times.

    Raises:
        AssertionError: none was accepted, or some were neither that nor refused for now.
        TimeoutError: the server did not answer.
    """
    found = uvloop.run(_load(port, request, connections, seconds, count))
    assert set(found.statuses) <= ACCEPTED | REFUSED, f"not all were accepted: {found.statuses}"
    assert found.accepted, "none was accepted"
    return found


async def _load(port: int, request: bytes, connections: int, seconds: float, count: int) -> Load:
    found, left, began = Load(), [count], time.perf_counter()
    loop = asyncio.get_running_loop()
    open_ = [
        loop.create_connection(lambda: _Connection(request, found, began + seconds, left), "127.0.0.1", port)
        for _ in range(connections)
    ]
    async with asyncio.timeout(seconds + PATIENCE):
        for protocol in [protocol for _, protocol in await asyncio.gather(*open_)]:
            await protocol.done
    found.seconds = time.perf_counter() - began
    return found


def pace(port: int, request: Callable[[float], bytes], rate: float, count: int, connections: int = 64) -> None:
    """Send `count` requests, `rate` a second, by connections in turn: none waits for the answer to the one before.

    Each is made by `request` of the moment at which it is due, on the monotonic clock.
    """
    with ExitStack() as stack:
        those = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(min(connections, count))]
        for each in those:
            stack.enter_context(each)
        began = time.monotonic() + WARM
        for number in range(count):
            due = began + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            connection = those[number % len(those)]
            if number >= len(those):
                _hear(connection)
            connection.sendall(request(due))
        for connection in those:
            _hear(connection)


def _hear(connection: socket.socket) -> None:
    answer = connection.recv(65536)
    while not answer.endswith(b"}"):  # head and body may come apart
        answer += connection.recv(65536) or b"}"
    assert int(answer[9:12]) in ACCEPTED, answer.splitlines()[0].decode()
