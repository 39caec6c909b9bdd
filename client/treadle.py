"""The clients: one that waits for its answers, one that is awaited. What is sent again, and when, is the same for both."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self, TypeVar

import httpx2
from tenacity import AsyncRetrying, Retrying

from client.call import Call, Listing, Stream
from client.errors import Refused, StillRunning, Unreachable, check
from client.following import Following
from client.manners import FINAL, PATIENCE, PERSISTENCE, connection, held, policy
from client.models import JobDetail
from client.operations import Operations

T = TypeVar("T")


class Treadle(Operations):
    """The API at an address, for the holder of a key. Threads may share it."""

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        patience: float = PATIENCE,
        persistence: float = PERSISTENCE,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """`patience`: seconds for one answer. `persistence`: seconds for which what failed is tried again; 0 for not at all.

        Raises:
            ValueError: the address is none.
        """
        self.url, self.patience, self.persistence = url.rstrip("/"), patience, persistence
        self._http = httpx2.Client(**connection(url, key), transport=transport)

    def send(self, call: Call[T]) -> T:
        """Send a call, again where that does nothing twice, and return its answer.

        Raises:
            Refused: the API answered with a problem.
            Unreachable: nothing answered.
        """
        answer: T = Retrying(**policy(call, self.persistence))(self._once, call)
        return answer

    def _once(self, call: Call[T]) -> T:
        try:
            answer = self._http.request(**call.request(), timeout=self.patience + (call.wait or 0))
        except httpx2.TransportError as error:
            raise Unreachable(self.url, error) from error
        return call.read(answer)

    def iterate(self, described: Listing[T] | Stream[T]) -> Iterator[T]:
        """Go through a list page after page, or follow a stream, each event once, over connections that break.

        Raises:
            Refused: the API answered with a problem.
            Unreachable: nothing answered.
        """
        if isinstance(described, Stream):
            yield from self._follow(described)
            return
        rest: Listing[T] | None = described
        while rest:
            page = self.send(rest.call)
            yield from page[rest.items]
            rest = rest.behind(page)

    def _follow(self, stream: Stream[Any]) -> Iterator[Any]:
        following = Following(stream, self.persistence)
        while True:
            try:
                with self._http.stream(**following.request(), timeout=self.patience) as answer:
                    if answer.status_code == httpx2.codes.NO_CONTENT:
                        return
                    if not answer.is_success:
                        answer.read()
                    check(answer)
                    for sent in httpx2.EventSource(answer):
                        if event := following.heard(sent):
                            yield event
            except httpx2.TransportError as error:
                following.failed(Unreachable(self.url, error))
            except Refused as refused:
                following.failed(refused)
            time.sleep(following.pause)

    def wait(self, job_id: str, timeout: float | None = None) -> JobDetail:
        """The job, once it is final. `timeout` is in seconds.

        Raises:
            StillRunning: it took longer.
        """
        began = time.monotonic()
        while (job := self.get_job(job_id, wait=held(began, timeout)))["state"] not in FINAL:
            if held(began, timeout) <= 0:
                raise StillRunning(job)
        return job

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncTreadle(Operations):
    """The same for code on an event loop: answers are awaited, lists and streams are async iterators."""

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        patience: float = PATIENCE,
        persistence: float = PERSISTENCE,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """As `Treadle`."""
        self.url, self.patience, self.persistence = url.rstrip("/"), patience, persistence
        self._http = httpx2.AsyncClient(**connection(url, key), transport=transport)

    async def send(self, call: Call[T]) -> T:
        """As `Treadle.send`."""
        answer: T = await AsyncRetrying(**policy(call, self.persistence))(self._once, call)
        return answer

    async def _once(self, call: Call[T]) -> T:
        try:
            answer = await self._http.request(**call.request(), timeout=self.patience + (call.wait or 0))
        except httpx2.TransportError as error:
            raise Unreachable(self.url, error) from error
        return call.read(answer)

    async def iterate(self, described: Listing[T] | Stream[T]) -> AsyncIterator[T]:
        """As `Treadle.iterate`."""
        if isinstance(described, Stream):
            async for event in self._follow(described):
                yield event
            return
        rest: Listing[T] | None = described
        while rest:
            page = await self.send(rest.call)
            for item in page[rest.items]:
                yield item
            rest = rest.behind(page)

    async def _follow(self, stream: Stream[Any]) -> AsyncIterator[Any]:
        following = Following(stream, self.persistence)
        while True:
            try:
                async with self._http.stream(**following.request(), timeout=self.patience) as answer:
                    if answer.status_code == httpx2.codes.NO_CONTENT:
                        return
                    if not answer.is_success:
                        await answer.aread()
                    check(answer)
                    async for sent in httpx2.EventSource(answer):
                        if event := following.heard(sent):
                            yield event
            except httpx2.TransportError as error:
                following.failed(Unreachable(self.url, error))
            except Refused as refused:
                following.failed(refused)
            await asyncio.sleep(following.pause)

    async def wait(self, job_id: str, timeout: float | None = None) -> JobDetail:  # noqa: ASYNC109 - the API's wait, not ours
        """As `Treadle.wait`."""
        began = time.monotonic()
        while (job := await self.get_job(job_id, wait=held(began, timeout)))["state"] not in FINAL:
            if held(began, timeout) <= 0:
                raise StillRunning(job)
        return job

    async def close(self) -> None:
        """End the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
