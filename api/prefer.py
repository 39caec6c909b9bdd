"""`Prefer: wait=N` (RFC 7240): an answer that waits until a job is final. One question to the ledger for all that wait."""

import asyncio
import re
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request

from api.ledger import Ledger, LedgerBusy
from jobs import queries
from jobs.model import Job

LONGEST = 60.0  # seconds
PERIOD = 0.05  # seconds between two looks
_WAIT = re.compile(r'(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=;|,|$)', re.IGNORECASE)


async def _seconds(
    request: Request,
    prefer: Annotated[
        str | None,
        Header(description=f"`wait=10`: answer when the job is final, or after so many seconds (at most {LONGEST:.0f})."),
    ] = None,
) -> float:
    """How long the caller would wait; 0 if that is not said, or not in a way that we understand."""
    found = _WAIT.search(", ".join(request.headers.getlist("prefer"))) if prefer else None
    return min(float(found[1]), LONGEST) if found else 0.0


PreferWait = Annotated[float, Depends(_seconds)]


class Finishes:
    """Tells when jobs become final."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: dict[asyncio.Future[Job], UUID] = {}
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, job_id: UUID, seconds: float) -> Job | None:
        """The job, once it is final; None if that takes longer."""
        news: asyncio.Future[Job] = asyncio.get_running_loop().create_future()
        self._waiting[news] = job_id
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(seconds):
                return await news
        except TimeoutError:
            return None
        finally:
            del self._waiting[news]

    async def _look(self) -> None:
        while self._waiting:
            ask = partial(queries.final, job_ids=set(self._waiting.values()))
            try:
                final = {job.id: job for job in await self._ledger.read(ask)}
            except LedgerBusy:
                final = {}  # they may wait a little longer
            for news, job_id in self._waiting.items():
                if job_id in final and not news.done():
                    news.set_result(final[job_id])
            await asyncio.sleep(PERIOD)


async def finishes(request: Request) -> Finishes:
    """Those of the application."""
    its: Finishes = request.app.state.finishes
    return its


Finish = Annotated[Finishes, Depends(finishes)]
