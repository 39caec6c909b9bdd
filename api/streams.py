"""Live streams: one look at the ledger for all who watch, and each is told what is new to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import Depends, Request
from fastapi.sse import format_sse_event
from sqlalchemy.orm import Session

from api.ledger import Ledger, LedgerBusy
from api.schemas import JobOut
from jobs import happenings, queries
from jobs.happenings import Happening, Position
from jobs.model import Job
from jobs.states import FINAL, State

log = structlog.get_logger()

PERIOD = 0.25  # seconds between two looks
PATIENCE = 15.0  # seconds after which silence is broken by a comment, so that no proxy ends the connection
BACKLOG = 10_000  # events that may wait for a client; one that is slower is let go, and may come again

Sight = tuple[object, ...]


@dataclass(eq=False)
class Watcher:
    """One client at one job's stream."""

    job_id: UUID
    position: Position
    number: int = field(default_factory=count().__next__)
    events: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(BACKLOG))

    def tell(self, news: Sequence[Happening], job: Job | None) -> None:
        """Put what is new to it on its way; then how the job stands, if that has changed; the end after the last."""
        try:
            for happening in news:
                if happening.is_news(self.position):
                    self.position = happening.behind(self.position)
                    data = {"at": happening.at.isoformat(), **happening.data}
                    self.events.put_nowait(_event(happening.kind, data, str(self.position)))
            if job is not None:
                self.events.put_nowait(_event("job", JobOut.of(job).model_dump(mode="json")))
                if job.state in FINAL:
                    self.events.put_nowait(None)
        except asyncio.QueueFull:
            self.events = asyncio.Queue()
            self.events.put_nowait(None)


def _event(kind: str, data: dict[str, Any], position: str | None = None) -> bytes:
    return format_sse_event(event=kind, id=position, data_str=json.dumps(data, ensure_ascii=False, default=str))


class Streams:
    """All who watch jobs through this process."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._watchers: dict[UUID, set[Watcher]] = {}
        self._seen: dict[UUID, Sight] = {}
        self._looking: asyncio.Task[None] | None = None

    async def of(self, job_id: UUID, position: Position) -> AsyncIterator[bytes]:
        """The events of a job behind a position, until it is final."""
        watcher = Watcher(job_id, position)
        self._watchers.setdefault(job_id, set()).add(watcher)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield format_sse_event(retry=1000)
            while True:
                try:
                    event = await asyncio.wait_for(watcher.events.get(), PATIENCE)
                except TimeoutError:
                    event = format_sse_event(comment="still here")
                if event is None:
                    return
                yield event
        finally:
            self._watchers[job_id].discard(watcher)
            if not self._watchers[job_id]:
                del self._watchers[job_id]

    async def _look(self) -> None:
        while self._watchers:
            watched = {job_id: list(watchers) for job_id, watchers in self._watchers.items()}
            try:
                news, changed = await self._ledger.read(partial(self._read, watched=watched))
            except LedgerBusy:
                news, changed = {}, {}  # the next look tells it all
            except Exception:  # a bug of ours; were this task to end, all who watch would wait for ever
                log.exception("a look for the streams failed")
                news, changed = {}, {}
            for job_id, watchers in watched.items():
                for watcher in watchers:
                    watcher.tell(news.get(job_id, ()), changed.get(job_id))
            await asyncio.sleep(PERIOD)

    def _read(
        self, session: Session, watched: dict[UUID, list[Watcher]]
    ) -> tuple[dict[UUID, list[Happening]], dict[UUID, Job]]:
        jobs = queries.several(session, watched.keys())
        seen = {job_id: _sight(job, watched[job_id]) for job_id, job in jobs.items()}
        changed = {job_id: job for job_id, job in jobs.items() if seen[job_id] != self._seen.get(job_id)}
        self._seen = seen
        live = [job for job_id, job in jobs.items() if job_id in changed or job.state is State.RUNNING]
        return happenings.since(session, live, {job.id: _least(watched[job.id]) for job in live}), changed


def _sight(job: Job, watchers: Sequence[Watcher]) -> Sight:
    """What must differ for a job to be shown again: how it stands, or who looks."""
    return (
        job.state,
        job.epoch,
        job.run_at,
        job.finished_at,
        job.cancel_requested,
        frozenset(watcher.number for watcher in watchers),
    )


def _least(watchers: Sequence[Watcher]) -> Position:
    position = watchers[0].position
    for watcher in watchers[1:]:
        position = position.least(watcher.position)
    return position


async def _streams(request: Request) -> Streams:
    streams: Streams = request.app.state.streams
    return streams


InStreams = Annotated[Streams, Depends(_streams)]
