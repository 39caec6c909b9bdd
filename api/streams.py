"""Live streams: one reader of the journal for all who watch through this process, and each is told what is new to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated, TypeVar
from uuid import UUID

import structlog
from fastapi import Depends, Request
from sqlalchemy.orm import Session

from api.deflate import Chunk
from api.ledger import Ledger, LedgerBusy
from api.problems import Refused
from api.watchers import Buffer, Listener, Wanted, Watcher, encode, hello, parcels, still_here
from jobs import happenings, journal, queries
from jobs.happenings import Happening, Position
from jobs.journal import News, Place
from jobs.model import Job
from runtime import clock
from runtime.settings import settings

log = structlog.get_logger()

PERIOD = 0.25  # seconds between two looks
SENDS = 500  # a second, over all clients: past it looks are rarer and tell more, so that many clients cost a bounded share
PATIENCE = 15.0  # seconds after which every client is sent something
ATTEND = 10.0  # seconds after which the journal is told again that somebody listens
UNHEARD = timedelta(minutes=1)  # the journal outlives its readers by so much, if these only watch single jobs
PAGE = 1_000  # entries read at once
MOST = 5_000  # clients of a process
GAP = {"detail": "Something was forgotten meanwhile: read again the jobs that matter."}

Answer = TypeVar("Answer")
Key = TypeVar("Key", UUID, Wanted)
Client = TypeVar("Client", Watcher, Listener)


@dataclass(frozen=True)
class Seen:
    """What a look has found."""

    place: Place  # where to go on
    is_full: bool  # there may be more at once
    jobs: Mapping[UUID, Job]  # of those watched, the ones that changed
    moved: frozenset[UUID]
    told: Mapping[UUID, Sequence[Happening]]
    news: Sequence[News]


class Streams:
    """All who watch through this process."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._watchers: dict[UUID, set[Watcher]] = {}
        self._listeners: dict[Wanted, set[Listener]] = {}
        self._waiting: list[Listener] = []  # for the end of a look, from which on they are sent what comes
        self._place: Place | None = None
        self._reading: asyncio.Task[None] | None = None
        self._catching_up = asyncio.Semaphore(2)  # many may come again at once: others read the ledger, too

    async def of(self, job_id: UUID, position: Position, *, blind: bool = False) -> AsyncIterator[Chunk]:
        """The events of a job behind a position, until it is final."""
        watcher = Watcher(job_id, position, blind=blind)
        self._enter(self._watchers, job_id, watcher)
        try:
            yield hello()
            while (chunk := await watcher.chunks.get()) is not None:
                yield chunk
        finally:
            self._leave(self._watchers, job_id, watcher)

    async def all(self, wanted: Wanted, place: Place | None, seconds: float | None = None) -> AsyncIterator[Chunk]:
        """All that is wanted behind a place, or from now on; for so long, if that is said."""
        listener = Listener()
        self._enter(self._listeners, wanted, listener)
        self._waiting.append(listener)
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, listener.put, None)
        try:
            start = await listener.start
            yield hello(place or start)
            if place is not None:
                async for past in self._past(wanted, place, start):
                    yield past
            while (chunk := await listener.chunks.get()) is not None:
                yield chunk
        finally:
            self._leave(self._listeners, wanted, listener)

    async def _past(self, wanted: Wanted, place: Place, start: Place) -> AsyncIterator[Chunk]:
        """What happened behind a place, up to where the listener is sent what comes."""
        place, lost = await self._patiently(partial(journal.resume, place=place))
        if lost:
            yield encode("gap", GAP, place)
        while place < start:
            async with self._catching_up:
                news, last = await self._patiently(partial(_page, place=place))
            for chunk in parcels([wanted], [each for each in news if each.place <= start]).values():
                yield chunk
            place = start if last is None or last >= start else last

    async def _patiently(self, ask: Callable[[Session], Answer]) -> Answer:
        while True:
            try:
                return await self._ledger.read(ask)
            except LedgerBusy:
                await asyncio.sleep(PERIOD)

    def _enter(self, place: dict[Key, set[Client]], key: Key, client: Client) -> None:
        place.setdefault(key, set()).add(client)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_on())

    @staticmethod
    def _leave(place: dict[Key, set[Client]], key: Key, client: Client) -> None:
        place[key].discard(client)
        if not place[key]:
            del place[key]

    def check(self) -> None:
        """See that there is room for one more.

        Raises:
            Refused: there is not.
        """
        if len(self._clients()) >= MOST:
            raise Refused("overloaded", "Too many streams are open here.", {"Retry-After": "10"})

    def _clients(self) -> list[Buffer]:
        watchers = [watcher for group in self._watchers.values() for watcher in group]
        return [*watchers, *(listener for group in self._listeners.values() for listener in group)]

    async def _read_on(self) -> None:
        now = asyncio.get_running_loop().time
        attend_at, beat_at = now(), now() + PATIENCE
        try:
            while self._watchers or self._listeners:
                seen, told = None, 0
                try:
                    if now() >= attend_at:
                        await self._attend()
                        attend_at = now() + ATTEND
                    watched = {job_id: list(watchers) for job_id, watchers in self._watchers.items()}
                    seen = await self._ledger.read(partial(self._look, watched=watched))
                    told = self._tell(seen, watched)
                except LedgerBusy:
                    pass  # the next look tells it all
                except Exception:  # a bug of ours; were this task to end, all who watch would wait for ever
                    log.exception("a look for the streams failed")
                if now() >= beat_at:
                    self._beat()
                    beat_at = now() + PATIENCE
                if seen is None or not seen.is_full:
                    await asyncio.sleep(max(PERIOD, told / SENDS))
        finally:
            self._place = None

    async def _attend(self) -> None:
        """Have the journal written. When it was just begun, wait for those transactions that do not know of it."""
        window = settings().stream_window if self._listeners else UNHEARD
        listen = partial(journal.listen, until=clock.now() + window)
        since = await self._ledger.write(listen, row="audience")
        if self._place is not None and self._place.since == since:
            return
        begun = await self._ledger.read(journal.begun)
        while await self._ledger.read(journal.settled) < begun:  # noqa: ASYNC110 - of other processes' transactions
            await asyncio.sleep(PERIOD / 10)
        before, self._place = self._place, await self._ledger.read(partial(journal.head, since=since))
        for client in self._clients():
            if isinstance(client, Watcher):
                client.is_new = True
            elif before is not None:
                client.put(encode("gap", GAP, self._place))

    def _look(self, session: Session, watched: Mapping[UUID, Sequence[Watcher]]) -> Seen:
        assert self._place is not None  # noqa: S101 - _attend has seen to it
        entries = journal.page(session, self._place, PAGE)
        touched = {entry.job_id for entry in entries} | {
            job_id for job_id, watchers in watched.items() if any(watcher.is_new for watcher in watchers)
        }
        jobs = queries.several(session, touched & watched.keys())
        least = {job_id: _least(watched[job_id]) for job_id in jobs}
        return Seen(
            place=self._place.of(entries[-1]) if entries else self._place,
            is_full=len(entries) == PAGE,
            jobs=jobs,
            moved=frozenset(entry.job_id for entry in entries if entry.line is None),
            told=happenings.since(session, list(jobs.values()), least),
            news=journal.tell(self._place, entries),
        )

    def _tell(self, seen: Seen, watched: Mapping[UUID, Sequence[Watcher]]) -> int:
        """Tell everybody what was seen. Returns to how many something was sent."""
        told = sum(len(watched[job_id]) for job_id in seen.jobs)
        for job_id, job in seen.jobs.items():
            for watcher in watched[job_id]:
                watcher.tell(seen.told.get(job_id, ()), job, moved=job_id in seen.moved)
        for wanted, chunk in parcels(self._listeners, seen.news).items():
            told += len(self._listeners[wanted])
            for listener in self._listeners[wanted]:
                listener.hear(chunk, seen.place)
        while self._waiting:
            self._waiting.pop().begin(seen.place)
        self._place = seen.place
        return told

    def _beat(self) -> None:
        placeless, here = still_here(), still_here(self._place)
        for client in self._clients():
            client.put(here if isinstance(client, Listener) else placeless)


def _page(session: Session, place: Place) -> tuple[list[News], Place | None]:
    entries = journal.page(session, place, PAGE)
    return journal.tell(place, entries), place.of(entries[-1]) if entries else None


def _least(watchers: Sequence[Watcher]) -> Position:
    position = watchers[0].position
    for watcher in watchers[1:]:
        position = position.least(watcher.position)
    return position


async def _streams(request: Request) -> Streams:
    streams: Streams = request.app.state.streams
    return streams


InStreams = Annotated[Streams, Depends(_streams)]
