"""The API as commands ask it: by method and path, over the Python client, with its errors in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

import httpx2

from cli.complaint import Complaint
from client import AsyncTreadle, Treadle, errors
from client.call import Call, Event, Stream
from client.manners import PATIENCE

PERSISTENCE = 10.0  # seconds for which a stream that broke off is asked for again; a person sees to the rest


class Refused(Complaint):
    """The API said no; `status` is its HTTP status."""

    def __init__(self, refused: errors.Refused) -> None:
        wrong = [f"{error.get('pointer')}: {error.get('detail')}" for error in refused.errors]
        if len(wrong) > 1:  # the detail only strings them together
            super().__init__(f"{refused.problem.get('title')}:", wrong)
        else:
            super().__init__(str(refused))
        self.status = refused.status


class Unreachable(Complaint):
    """Nothing answers there."""


class Client:
    """A connection to one API, as one caller. `patience`: seconds for one answer."""

    def __init__(
        self, url: str, key: str, *, patience: float = PATIENCE, transport: httpx2.BaseTransport | None = None
    ) -> None:
        given: dict[str, Any] = {"patience": patience, "transport": transport}
        self._connect, self._turn = partial(Treadle, url, key, **given), partial(AsyncTreadle, url, key, **given)
        try:
            self._treadle = self._connect(persistence=0)
        except ValueError as error:
            raise Complaint(f"{error}.") from None
        self.url = self._treadle.url

    def ask(
        self,
        method: str,
        path: str,
        *names: str,
        body: Any = None,
        params: dict[str, Any] | None = None,
        key: str | None = None,
        kind: str = "application/json",
    ) -> Any:
        """Send a request and return what its answer says; None if that is nothing.

        Args:
            method: of HTTP.
            path: with a gap `{}` for each of `names`, which are quoted.
            names: ids and names, as the user gave them.
            body: sent as JSON; bytes as they are.
            params: of the query.
            key: the Idempotency-Key.
            kind: the body's media type.

        Raises:
            Refused: the API answered with an error.
            Unreachable: nothing answered.
        """
        headers = {"Idempotency-Key": key}
        with in_words():
            return self._treadle.send(Call(method, path, names, params or {}, headers, body, None if body is None else kind))

    def follow(self, path: str, *names: str, params: dict[str, Any] | None = None) -> Iterator[Event]:
        """The events of a stream, each once, until the server has no more: a connection that is lost is made again.

        Raises:
            Refused: the API answered with an error.
            Unreachable: nothing answered, several times in a row.
        """
        stream: Stream[Event] = Stream(Call("GET", path, names, params or {}))
        with in_words(), self._connect(persistence=PERSISTENCE) as treadle:
            yield from treadle.iterate(stream)

    def on_loop(self) -> AsyncTreadle:
        """The same for an event loop: to follow several streams at once. Its errors are said `in_words`."""
        return self._turn(persistence=PERSISTENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._treadle.close()


@contextmanager
def in_words() -> Iterator[None]:
    """Say the client's errors as complaints."""
    try:
        yield
    except errors.Refused as refused:
        raise Refused(refused) from None
    except errors.Unreachable as error:
        raise Unreachable(f"{error} Is it up? `treadle up` starts one here.") from None
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise Complaint(f"That is no address: {error}.") from None
