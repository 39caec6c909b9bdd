"""The thin client of the API: one method, plain dictionaries, and errors in words."""

import json
import time
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx2

from cli.complaint import Complaint

PATIENCE = 30.0
"""Seconds; the API itself answers or refuses within one, and a stream says something every fifteen."""

MOST_FAILURES = 10


class Refused(Complaint):
    """The API said no; `status` is its HTTP status."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        errors = [f"{error.get('pointer')}: {error.get('detail')}" for error in problem.get("errors") or []]
        if len(errors) > 1:  # the detail only strings them together
            super().__init__(f"{problem.get('title')}:", errors)
        else:
            super().__init__(str(problem.get("detail") or problem.get("title") or f"The API answered {status}."))
        self.status = status


class Unreachable(Complaint):
    """Nothing answers there."""


class Client:
    """A connection to one API, as one caller."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        patience: float = PATIENCE,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise Complaint(f"{url!r} is no address of an API: it starts with http:// or https://.")
        self.url = url.rstrip("/")
        self._http = httpx2.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=patience,
            transport=transport,
            verify=urlsplit(url).scheme == "https",  # plain HTTP needs no certificates: 12 MB of them
            trust_env=not _is_loopback(url),  # a proxy of the environment cannot reach our own machine
        )

    def ask(
        self,
        method: str,
        path: str,
        *names: str,
        body: Any = None,
        params: dict[str, Any] | None = None,
        key: str | None = None,
        content: bytes | None = None,
        kind: str | None = None,
    ) -> Any:
        """Send a request and return the answer's JSON; None if it has no body.

        Args:
            method: of HTTP.
            path: with a gap `{}` for each of `names`, which are quoted.
            names: ids and names, as the user gave them.
            body: sent as JSON.
            params: of the query.
            key: the Idempotency-Key.
            content: sent as it is, instead of `body`.
            kind: its media type, if it is not plain JSON.

        Raises:
            Refused: the API answered with an error.
            Unreachable: nothing answered.
        """
        path = path.format(*(quote(name, safe="") for name in names))
        headers = ({"Idempotency-Key": key} if key else {}) | ({"Content-Type": kind} if kind else {})
        try:
            answer = self._http.request(method, path, json=body, content=content, params=params, headers=headers)
        except httpx2.TransportError as error:
            raise Unreachable(
                f"No Treadle API answers at {self.url} ({_cause(error)}). Is it up? `treadle up` starts one here."
            ) from None
        except (httpx2.InvalidURL, UnicodeError) as error:
            raise Complaint(f"{self.url + path!r} is no address: {error}.") from None
        if answer.is_success:
            return _json(answer) if answer.content else None
        problem = _json(answer, otherwise={})
        raise Refused(answer.status_code, problem if isinstance(problem, dict) else {})

    def follow(self, path: str, *names: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The events of a stream, each once, until the server has no more: a connection that is lost is made again.

        Raises:
            Refused: the API answered with an error.
            Unreachable: nothing answered, several times in a row.
        """
        path, last, failures = path.format(*(quote(name, safe="") for name in names)), "", 0
        while True:
            try:
                with self._http.stream("GET", path, headers={"Last-Event-ID": last} if last else {}) as answer:
                    if answer.status_code == httpx2.codes.NO_CONTENT:
                        return
                    if not answer.is_success:
                        answer.read()
                        raise Refused(answer.status_code, _json(answer, otherwise={}))
                    failures = 0
                    for kind, data, event_id in _events(answer.iter_lines()):
                        last = event_id or last
                        yield kind, data
            except httpx2.TransportError as error:
                failures += 1
                if failures == MOST_FAILURES:
                    raise Unreachable(f"The stream at {self.url} broke off ({_cause(error)}).") from None
                time.sleep(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()


def _events(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Server-sent events: their kind, their data, their id."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            yield fields["event"], json.loads(fields["data"]), fields.get("id", "")
            fields = {}


def _json(answer: httpx2.Response, **otherwise: Any) -> Any:
    try:
        return answer.json()
    except ValueError:
        if otherwise:
            return otherwise["otherwise"]
        raise Complaint(f"{answer.url} answered, but not as a Treadle API does.") from None


def _cause(error: httpx2.TransportError) -> str:
    return "timed out" if isinstance(error, httpx2.TimeoutException) else str(error) or type(error).__name__


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
