"""What can go wrong between a client and the API."""

from typing import Any

import httpx2


class Refused(Exception):
    """The API said no, with an RFC 9457 problem.

    `status` is its HTTP status, `kind` the last part of the problem's type ("invalid", "not-found"; "" if what answered is
    no Treadle API), `problem` the whole of it, `retry_after` the seconds that it asks for, if it does.
    """

    def __init__(self, answer: httpx2.Response) -> None:
        self.status = answer.status_code
        self.problem = _problem(answer)
        self.kind = str(self.problem.get("type", "")).rpartition("/problems/")[2]
        after = answer.headers.get("retry-after", "")
        self.retry_after = float(after) if after.isdecimal() else None
        said = self.problem.get("detail") or self.problem.get("title")
        super().__init__(str(said or f"{answer.url} answered {self.status}, but not as a Treadle API does."))

    @property
    def errors(self) -> list[dict[str, str]]:
        """For each wrong value a `pointer` (RFC 6901) and a `detail`."""
        return self.problem.get("errors") or []


class Unreachable(Exception):
    """No answer came. Whether the request was carried out is known only if `unsent`: it was not."""

    def __init__(self, url: str, cause: httpx2.TransportError) -> None:
        said = "timed out" if isinstance(cause, httpx2.TimeoutException) else str(cause) or type(cause).__name__
        super().__init__(f"No Treadle API answers at {url} ({said}).")
        self.unsent = isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)


class StillRunning(Exception):
    """The job was not final in time; it goes on. `job` is how it stood."""

    def __init__(self, job: Any) -> None:
        super().__init__(f"The job {job['id']} is still {job['state']}.")
        self.job = job


def _problem(answer: httpx2.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def check(answer: httpx2.Response) -> None:
    """See that an answer is none that refuses. One that streams must have been read if it is.

    Raises:
        Refused: it is.
    """
    if not answer.is_success:
        raise Refused(answer)
