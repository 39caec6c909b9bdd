"""Who watches: one job, or all that happens. Each has a bounded buffer; who is too slow is let go, and may come again."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from fastapi.sse import format_sse_event

from api.schemas import JobOut
from jobs import veil
from jobs.happenings import Happening, Position
from jobs.journal import News, Place
from jobs.model import Job
from jobs.reach import EVERYTHING, Reach
from jobs.states import FINAL, State

BACKLOG = 10_000  # events that may wait for a watcher of one job
CHUNKS = 64  # that may wait for a listener; what a look at the ledger finds is one, shared by all who want the same


def encode(kind: str, data: dict[str, Any], place: object = None, *, blind: bool = False) -> bytes:
    """A server-sent event; without a place it does not move the client's Last-Event-ID."""
    shown = veil.shown(data) if blind else data
    text = json.dumps(shown, ensure_ascii=False, default=str)
    return format_sse_event(event=kind, id=None if place is None else str(place), data_str=text)


def still_here(place: Place | None = None) -> bytes:
    """What breaks a silence, so that no proxy ends the connection; with a place, so that it does not grow old meanwhile."""
    return format_sse_event(comment="still here", id=None if place is None else str(place))


class Buffer:
    """What is on its way to a client; None is the end."""

    def __init__(self, most: int) -> None:
        self.chunks: asyncio.Queue[bytes | None] = asyncio.Queue(most)

    def put(self, chunk: bytes | None) -> None:
        """Send it; a client for which too much waits already is let go instead."""
        try:
            self.chunks.put_nowait(chunk)
        except asyncio.QueueFull:
            while not self.chunks.empty():
                self.chunks.get_nowait()
            self.chunks.put_nowait(None)


class Watcher(Buffer):
    """A client at one job's stream."""

    def __init__(self, job_id: UUID, position: Position, *, blind: bool = False) -> None:
        super().__init__(BACKLOG)
        self.job_id, self.position, self.blind = job_id, position, blind
        self.is_new = True

    def tell(self, news: Sequence[Happening], job: Job, *, moved: bool) -> None:
        """Send what is new to it; then how the job stands, if that has changed; the end after the last."""
        for happening in news:
            if happening.is_news(self.position):
                self.position = happening.behind(self.position)
                data = {"at": happening.at.isoformat(), **happening.data}
                self.put(encode(happening.kind, data, self.position, blind=self.blind))
        if moved or self.is_new:
            self.is_new = False
            self.put(encode("job", JobOut.of(job).model_dump(mode="json"), blind=self.blind))
            if job.state in FINAL:
                self.put(None)


@dataclass(frozen=True)
class Wanted:
    """What a listener wants to hear: all that is given must hold. Those who want the same share one group."""

    tenant: str
    queue: str | None = None
    task: str | None = None
    tag: str | None = None
    state: State | None = None
    account: str | None = None
    lines: bool = False  # what tasks say, too
    blind: bool = False
    reach: Reach = field(default=EVERYTHING)

    def fits(self, news: News) -> bool:
        """Whether it is to be told."""
        job = news.job
        return (
            job.tenant == self.tenant
            and self.queue in {None, job.queue}
            and self.task in {None, job.task}
            and self.account in {None, job.account}
            and self.state in {None, news.state}
            and (self.tag is None or self.tag in job.tags)
            and (self.lines or news.kind == "job")
            and self.reach.covers(job.task, job.queue)
        )


def parcels(groups: Iterable[Wanted], news: Sequence[News]) -> dict[Wanted, bytes]:
    """What each group is told, as it goes over the wire. One that wants a tag is asked only of jobs that have it."""
    by_tag: defaultdict[str | None, list[Wanted]] = defaultdict(list)
    for wanted in groups if news else ():
        by_tag[wanted.tag].append(wanted)
    found: defaultdict[Wanted, list[bytes]] = defaultdict(list)
    for each in news:
        for tag in {None, *each.job.tags} & by_tag.keys():
            for wanted in by_tag[tag]:
                if wanted.fits(each):
                    found[wanted].append(_wire(each, blind=wanted.blind))
    return {wanted: b"".join(parts) for wanted, parts in found.items()}


def _wire(news: News, *, blind: bool) -> bytes:
    if blind not in news.wire:
        news.wire[blind] = encode(news.kind, news.data, news.place, blind=blind)
    return news.wire[blind]


class Listener(Buffer):
    """A client at the stream of all that happens."""

    def __init__(self) -> None:
        super().__init__(CHUNKS)
        self.start: asyncio.Future[Place] = asyncio.get_running_loop().create_future()  # it is sent what comes behind

    def hear(self, chunk: bytes, place: Place) -> None:
        """Send what a look has found, up to a place; of the look during which it came, only the place."""
        if self.start.done():
            self.put(chunk)
        self.begin(place)

    def begin(self, place: Place) -> None:
        """From this place on it is sent what comes."""
        if not self.start.done():
            self.start.set_result(place)
