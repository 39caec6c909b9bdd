"""Many jobs in one request: reading them, judging each, and telling what became of each."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, ValidationError

from api import body
from api.ledger import Ledger, LedgerBusy
from api.orders import JobIn
from api.problems import Problem, Refused, details, kind_of, summary, wrong_values
from jobs.errors import Invalid, JobError
from jobs.keys import Caller
from jobs.submit import Key, Order, Submission, digest_of, submit_many
from runtime.settings import settings

PATH = "/v1/jobs/bulk"
MOST = 10_000  # jobs in one request
CHUNK = 500  # jobs in one transaction, so that no other request waits for long
PATIENCE = 30.0  # seconds for all or nothing, which is one transaction

Ordered = tuple[Order, Key | None]
Judged = Ordered | dict[str, Any]  # or the problem with it


class Result(BaseModel):
    """What became of one job of the request."""

    status: Literal[200, 202, 400, 403, 409, 413, 422, 503] = Field(description="As if it had been asked for alone.")
    id: UUID | None = None
    problem: Problem | None = None


class BulkOut(BaseModel):
    """What became of each, in the order of the request."""

    accepted: int
    refused: int
    results: list[Result]


@dataclass(frozen=True)
class Asker:
    """Who asks for many jobs, and the headers that go for each."""

    caller: Caller
    request_id: str
    trace: str | None
    key: str | None

    def judge(self, items: Sequence[Any], first: int) -> list[Judged]:
        """The orders of some items, or what is wrong with each; `first` is the number of the first in the request."""
        return [self._judge(item, number) for number, item in enumerate(items, first)]

    def _judge(self, item: Any, number: int) -> Judged:
        if isinstance(item, Refused):
            return self.problem(item.kind, item.detail)
        try:
            job = JobIn.model_validate(item)
            order = job.order(self.caller, self.request_id, self.trace)
        except ValidationError as error:
            wrong = wrong_values(({**part, "loc": ("body", *part["loc"])} for part in error.errors()), item)
            return self.problem("invalid", summary(wrong), errors=wrong)
        except JobError as error:
            return self.refusal(error)
        if self.key is None:
            return order, None
        return order, Key(
            f"bulk {digest_of(self.key)} {number}", digest_of(job.model_dump(mode="json"))
        )  # callers' have no space

    def problem(self, kind: str, detail: str, **more: Any) -> dict[str, Any]:
        """A problem with one job."""
        return details(kind, detail, self.request_id, **more)

    def refusal(self, error: JobError) -> dict[str, Any]:
        """The problem that an error is."""
        kind, more = kind_of(error)
        return self.problem(kind or "internal-error", str(error), **more)


def read(raw: bytes, kind: str) -> list[Any]:
    """The jobs of a body, unjudged; one that is too large, or a line that cannot be read, is its own refusal.

    Raises:
        Refused: the body is neither JSON nor NDJSON.
        Invalid: it holds no list of 1 to 10,000 jobs.
    """
    match kind.partition(";")[0].strip().lower():
        case "application/json":
            given = body.read(raw)
            items = given.get("jobs") if isinstance(given, dict) and given.keys() == {"jobs"} else None
            if isinstance(items, list) and len(raw) > settings().payload_limit:  # else none of them can be too large
                items = [_refused_if_large(len(json.dumps(item))) or item for item in items]
        case "application/x-ndjson" | "application/jsonl":
            items = [_line(line) for line in raw.splitlines() if line.strip()]
        case _:
            raise Refused("unsupported-media-type", "Send the body as `application/json` or `application/x-ndjson`.")
    if not isinstance(items, list) or not 1 <= len(items) <= MOST:
        raise Invalid.at("/jobs", f'The body is {{"jobs": […]}}, or a job a line as NDJSON: 1 to {MOST} jobs.')
    return items


def _line(line: bytes) -> Any:
    try:
        return _refused_if_large(len(line)) or body.read(line)
    except Refused as refused:
        return refused


def _refused_if_large(size: int) -> Refused | None:
    most = settings().payload_limit
    return Refused("too-large", f"This job is larger than {most} bytes.") if size > most else None


async def each(ledger: Ledger, asker: Asker, items: Sequence[Any]) -> list[dict[str, Any]]:
    """Make every job that can be made. While a chunk is stored the next is judged: SQLite needs no interpreter."""
    results: list[dict[str, Any]] = []
    judged = await asyncio.to_thread(asker.judge, items[:CHUNK], 0)
    for after in range(CHUNK, len(items) + CHUNK, CHUNK):
        judging = asyncio.to_thread(asker.judge, items[after : after + CHUNK], after)
        stored, judged = await asyncio.gather(_store(ledger, asker, judged), judging)
        results += stored
    return results


async def _store(ledger: Ledger, asker: Asker, judged: Sequence[Judged]) -> list[dict[str, Any]]:
    orders = [found for found in judged if not isinstance(found, dict)]
    made: Iterator[Submission | JobError | dict[str, Any]]
    try:
        made = iter(await ledger.write(partial(submit_many, orders=orders), row=f"key {asker.key}" if asker.key else ""))
    except LedgerBusy:
        busy = asker.problem("ledger-busy", "The database is locked or away. This job was not stored.")
        made = iter([busy] * len(orders))
    return [_result(asker, found if isinstance(found, dict) else next(made)) for found in judged]


async def all_or_nothing(ledger: Ledger, asker: Asker, items: Sequence[Any]) -> list[dict[str, Any]]:
    """Make all jobs in one transaction.

    Raises:
        Invalid: one of them cannot be made; the pointers say which, and why.
        JobError: one of them stands against the ledger: its key was used before, or its place is held.
        LedgerBusy: the database did not answer in time.
    """
    judged = await asyncio.to_thread(asker.judge, items, 0)
    wrong = [
        {"pointer": f"/jobs/{number}{value['pointer']}", "detail": value["detail"]}
        for number, found in enumerate(judged)
        if isinstance(found, dict)
        for value in found.get("errors", [{"pointer": "", "detail": found["detail"]}])
    ]
    if wrong:
        raise Invalid(wrong[:100])
    orders = [found for found in judged if not isinstance(found, dict)]

    def submit_all(session: Any) -> list[Submission | JobError]:
        made = submit_many(session, orders)
        for found in made:
            if isinstance(found, JobError):
                raise found
        return made

    made = await ledger.write(submit_all, row=f"key {asker.key}" if asker.key else "", patience=PATIENCE)
    return [_result(asker, found) for found in made]


def _result(asker: Asker, found: "Submission | JobError | dict[str, Any]") -> dict[str, Any]:
    if isinstance(found, JobError):
        found = asker.refusal(found)
    if isinstance(found, dict):
        return {"status": found["status"], "problem": found}
    return {"status": 200 if found.replayed or found.in_place else 202, "id": str(found.job.id)}


def repeated(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same results for a repeat of the request: what was made is found."""
    return [result | {"status": 200} if result["status"] == 202 else result for result in results]
