"""Clients of an API's stream, in a process of their own: `python -m bench.listeners PORT QUERY COUNT`, key in BENCH_KEY,
coding in BENCH_CODING.

It says `ready` once all are told where the stream begins; at the end of its input it says how many bytes they were sent.
"""

import asyncio
import os
import sys
from typing import cast

import uvloop


class _Listener(asyncio.Protocol):
    def __init__(self, request: bytes) -> None:
        self.request, self.received = request, 0
        self.began: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self.request)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if not self.began.done() and b"\nid: " in data:
            self.began.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.began.done():
            self.began.set_exception(error or ConnectionError("the server hung up"))


async def _listen(port: int, query: str, count: int) -> int:
    key, coding, loop = os.environ["BENCH_KEY"], os.environ["BENCH_CODING"], asyncio.get_running_loop()
    listeners = []
    for number in range(count):
        path = f"/v1/stream?{query.format(number)}"
        lines = f"GET {path} HTTP/1.1", "host: 127.0.0.1", f"authorization: Bearer {key}", f"accept-encoding: {coding}"
        head = "\r\n".join([*lines, "", ""]).encode()
        listeners.append((await loop.create_connection(lambda head=head: _Listener(head), "127.0.0.1", port))[1])
    await asyncio.gather(*(listener.began for listener in listeners))
    before = sum(listener.received for listener in listeners)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    return sum(listener.received for listener in listeners) - before


if __name__ == "__main__":
    print(uvloop.run(_listen(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
