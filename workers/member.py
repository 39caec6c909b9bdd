"""This process as a member of the fleet: its row, its lease, its attempts."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from jobs import liveness
from jobs.model import Job, LogLine
from runtime import clock
from runtime.database import Unavailable, transaction
from runtime.settings import settings
from workers.running import Roll, Running

log = structlog.get_logger()


@dataclass
class Member:
    """A worker process that runs attempts: the main process of a thread pool, or each child of a prefork pool."""

    pool: str
    queues: Sequence[str]
    slots: int
    id: UUID | None = None
    roll: Roll = field(default_factory=Roll)
    draining: threading.Event = field(default_factory=threading.Event)
    buried: threading.Event = field(default_factory=threading.Event)
    on_burial: Callable[[], object] = lambda: None
    always_trusted: bool = False  # a process that lives and dies by another's lease
    _renewed: float = 0.0

    def join(self) -> None:
        """Enter the fleet, waiting for the database if need be, and keep the lease from now on."""
        while self.id is None:
            started = clock.monotonic()
            try:
                with transaction() as session:
                    self.id = liveness.register(session, os.getpid(), self.pool, self.queues, self.slots)
                self._renewed = started
            except Unavailable as error:
                log.warning("the database is away; waiting for it", error=str(error)[:300])
                self.draining.wait(1)
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    @property
    def is_trusted(self) -> bool:
        """Whether the lease surely still holds: counted from before the last renewal, less a margin.

        The scheduler counts a lease from when it *saw* that renewal, so this ends first (River's trust window).
        """
        trust = (settings().lease - settings().heartbeat).total_seconds()
        return self.always_trusted or (not self.buried.is_set() and clock.monotonic() < self._renewed + trust)

    def leave(self) -> None:
        """Leave the fleet; the row says so at once, so that nobody waits for the lease to run out."""
        self.buried.set()
        if self.id is not None:
            try:
                with transaction() as session:
                    liveness.retire(session, self.id)
            except Unavailable:
                log.warning("left without a word: the database is away")

    def _beat(self) -> None:
        period = settings().heartbeat.total_seconds()
        wait = period
        while not self.buried.wait(wait):
            started = clock.monotonic()
            try:
                if not self._renew():
                    log.error("given up for dead by the scheduler: this process may not go on")
                    self.buried.set()
                    self.on_burial()
                self._renewed, wait = started, period
            except Unavailable as error:
                log.warning("lease not renewed", error=str(error)[:300], trusted=self.is_trusted)
                wait = min(1.0, period)

    def _renew(self) -> bool:
        assert self.id is not None  # noqa: S101 - join comes first
        with transaction() as session:
            if not liveness.renew(session, self.id):
                return False
            wanted = liveness.asked_to_cancel(session, self.id)
            attempts = self.roll.snapshot()
            for running in attempts:
                write_record(session, running)
        for running in attempts:
            if running.claim.job_id in wanted and not running.cancelled.is_set():
                running.cancel()
        return True


def write_record(session: Session, running: Running) -> None:
    """Write the lines and the progress that have gathered, unless the attempt has been overtaken."""
    lines, progress = running.take_lines(), running.progress
    if not lines and progress is None:
        return
    claim = running.claim
    mine = Job.id == claim.job_id, Job.epoch == claim.epoch
    held = session.execute(update(Job).where(*mine).values(progress=progress if progress is not None else Job.progress))
    running.progress = None
    if lines and held.rowcount == 1:  # type: ignore[attr-defined]
        rows = [{"job_id": claim.job_id, "epoch": claim.epoch, "at": at, "level": lv, "message": m} for at, lv, m in lines]
        session.execute(insert(LogLine), rows)


class _Here:
    """Which member this process is."""

    member: Member | None = None


def enlist(member: Member) -> Member:
    """Make `member` this process's own, and join."""
    _Here.member = member
    member.join()
    return member


def here() -> Member:
    """This process's member.

    Raises:
        RuntimeError: the process never joined.
    """
    if _Here.member is None:
        raise RuntimeError("this process has not joined as a worker")
    return _Here.member
