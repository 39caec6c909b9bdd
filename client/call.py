"""A request as a value; and what makes methods of functions that describe one, for the sync and the async client alike."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import update_wrapper, wraps
from math import ceil
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload
from urllib.parse import quote

import httpx2

from client.errors import Refused, check

if TYPE_CHECKING:  # they are made of what stands here
    from client.treadle import AsyncTreadle, Treadle

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request that is answered with a T."""

    method: str
    path: str  # with {} for each of `names`
    names: tuple[object, ...] = ()
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str | None] = field(default_factory=dict)
    body: Any = None
    media_type: str | None = None  # of the body; None: there is none
    wait: float | None = None  # seconds that the answer may be held back
    answer: str = "application/json"  # its media type

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice is sending it once: it only reads, or has a key."""
        return self.method == "GET" or bool(self.headers.get("Idempotency-Key"))

    def request(self) -> dict[str, Any]:
        """What httpx2's `request` takes. What is None is left out; bytes are sent as they are, all else as JSON."""
        given = self.headers | {"Prefer": f"wait={ceil(self.wait)}" if self.wait else None, "Content-Type": self.media_type}
        body = {} if self.media_type is None else {"content" if isinstance(self.body, bytes) else "json": self.body}
        return {
            "method": self.method,
            "url": self.path.format(*(quote(str(name), safe="") for name in self.names)),
            "params": {name: value for name, value in self.query.items() if value is not None},
            "headers": {name: value for name, value in given.items() if value is not None},
            **body,
        }

    def read(self, answer: httpx2.Response) -> T:
        """What an answer says.

        Raises:
            Refused: it is an error, or nothing that the API would say.
        """
        check(answer)
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if answer.content and kind != self.answer:
            raise Refused(answer)
        said: Any = answer.json() if kind == "application/json" and answer.content else answer.text or None
        return said  # type: ignore[no-any-return]  # the API's document says that it is a T


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A list that comes in pages of T's, each of which says how to go on."""

    call: Call[Any]
    items: str
    cursor: str = "cursor"

    def behind(self, page: dict[str, Any]) -> "Listing[T] | None":
        """The rest of the list; None if there is none."""
        last = (
            page["next_cursor"] if "next_cursor" in page else next((item["id"] for item in reversed(page[self.items])), None)
        )
        return replace(self, call=replace(self.call, query=self.call.query | {self.cursor: last})) if last else None


@dataclass(frozen=True)
class Event:
    """Something that a stream told: its kind, and what it says of it. `id` is where a stream can be taken up again."""

    kind: str
    data: dict[str, Any]
    id: str = ""


@dataclass(frozen=True)
class Stream(Generic[T]):
    """Server-sent events; the T is always Event."""

    call: Call[Any]

    def behind(self, event_id: str) -> "Stream[T]":
        """The same from there on."""
        return Stream(replace(self.call, headers=self.call.headers | {"Last-Event-ID": event_id}))


class operation(Generic[P, T]):  # noqa: N801 - a decorator
    """A method that sends a call: it returns the answer, which an async client's caller awaits."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self.describe = describe
        update_wrapper(self, describe)  # type: ignore[arg-type]  # for help() and inspect.signature()

    @overload
    def __get__(self, client: None, owner: type) -> "operation[P, T]": ...
    @overload
    def __get__(self, client: "Treadle", owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: "AsyncTreadle", owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """The method of a client."""
        return self if client is None else _of(client, self.describe, client.send)


class iteration(Generic[P, T]):  # noqa: N801 - a decorator
    """A method that goes through a list or a stream: it returns an iterator, an async client's an async one."""

    def __init__(self, describe: Callable[Concatenate[Any, P], "Listing[T] | Stream[T]"]) -> None:
        self.describe = describe
        update_wrapper(self, describe)  # type: ignore[arg-type]

    @overload
    def __get__(self, client: None, owner: type) -> "iteration[P, T]": ...
    @overload
    def __get__(self, client: "Treadle", owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: "AsyncTreadle", owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """The method of a client."""
        return self if client is None else _of(client, self.describe, client.iterate)


def _of(client: Any, describe: Callable[..., Any], do: Callable[[Any], Any]) -> Callable[..., Any]:
    @wraps(describe)
    def method(*args: Any, **given: Any) -> Any:
        return do(describe(client, *args, **given))

    return method
