"""Who watches: one job, or all that happens. Each has a bounded buffer; who is too slow is let go, and may come again."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from fastapi.sse import format_sse_event
from pydantic_core import to_json

from api.deflate import Chunk
from api.schemas import JobOut
from jobs import veil
from jobs.happenings import Happening, Position
from jobs.journal import News, Place, Said
from jobs.model import Job
from jobs.reach import EVERYTHING, Reach
from jobs.states import FINAL, State

BACKLOG = 10_000  # events that may wait for a watcher of one job
CHUNKS = 64  # that may wait for a listener; what a look at the ledger finds is one, shared by all who want the same

Handle = tuple[str | None, tuple[str, str | None] | None]


def encode(kind: str, data: dict[str, Any], place: object = None, *, blind: bool = False) -> Chunk:
    """A server-sent event; without a place it does not move the client's Last-Event-ID."""
    text = to_json(veil.shown(data) if blind else data, fallback=str)  # no line ends are in it
    told = b"" if place is None else b"id: %b\n" % str(place).encode()
    return Chunk(b"event: %b\ndata: %b\n%b\n" % (kind.encode(), text, told))


def hello(place: Place | None = None) -> Chunk:
    """What a stream begins with: where it does, and how many milliseconds to wait before coming again."""
    return Chunk(format_sse_event(retry=1000, id=None if place is None else str(place)))


def still_here(place: Place | None = None) -> Chunk:
    """What breaks a silence, so that no proxy ends the connection; with a place, so that it does not grow old meanwhile."""
    return Chunk(format_sse_event(comment="still here", id=None if place is None else str(place)))


class Buffer:
    """What is on its way to a client; None is the end."""

    def __init__(self, most: int) -> None:
        self.chunks: asyncio.Queue[Chunk | None] = asyncio.Queue(most)

    def put(self, chunk: Chunk | None) -> None:
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
                data = {"at": happening.at, **happening.data}
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
        entry = news.entry
        return (
            entry.tenant == self.tenant
            and self.queue in {None, entry.queue}
            and self.task in {None, entry.task}
            and self.account in {None, entry.account}
            and self.state in {None, news.state}
            and (self.tag is None or self.tag in entry.tags)
            and (self.lines or entry.line is None)
            and self.reach.covers(entry.task, entry.queue)
        )

    @cached_property
    def handle(self) -> Handle:
        """What the few have in common of whom it is one: whose jobs, and the rarest thing that these must have."""
        given = {"tag": self.tag, "account": self.account, "task": self.task, "queue": self.queue}
        return self.tenant, next(((name, value) for name, value in given.items() if value is not None), None)


def _handles(entry: Said) -> list[Handle]:
    """Those by which a listener may have asked for it."""
    things = ("account", entry.account), ("task", entry.task), ("queue", entry.queue), *(("tag", tag) for tag in entry.tags)
    return [(entry.tenant, thing) for thing in (None, *things)]


def parcels(groups: Iterable[Wanted], news: Sequence[News]) -> dict[Wanted, Chunk]:
    """What each group is told, as it goes over the wire. A group is asked only of what has its handle: there may be many."""
    by_handle: defaultdict[Handle, list[Wanted]] = defaultdict(list)
    for wanted in groups if news else ():
        by_handle[wanted.handle].append(wanted)
    found: defaultdict[Wanted, list[bytes]] = defaultdict(list)
    for each in news if by_handle else ():
        for handle in by_handle.keys() & _handles(each.entry):
            for wanted in by_handle[handle]:
                if wanted.fits(each):
                    found[wanted].append(_wire(each, blind=wanted.blind))
    return {wanted: Chunk(b"".join(parts)) for wanted, parts in found.items()}


def _wire(news: News, *, blind: bool) -> bytes:
    if blind not in news.wire:
        kind, data = news.told()
        news.wire[blind] = encode(kind, data, news.place, blind=blind)
    return news.wire[blind]


class Listener(Buffer):
    """A client at the stream of all that happens."""

    def __init__(self) -> None:
        super().__init__(CHUNKS)
        self.start: asyncio.Future[Place] = asyncio.get_running_loop().create_future()  # it is sent what comes behind

    def hear(self, chunk: Chunk, place: Place) -> None:
        """Send what a look has found, up to a place; of the look during which it came, only the place."""
        if self.start.done():
            self.put(chunk)
        self.begin(place)

    def begin(self, place: Place) -> None:
        """From this place on it is sent what comes."""
        if not self.start.done():
            self.start.set_result(place)
