"""This process as a member of the fleet: its row, its lease, its attempts."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from jobs import attempts, liveness, outbox, store
from jobs.claims import Claim, Taken
from jobs.model import Job, LogLine
from runtime import clock
from runtime.afterwards import after_rollback
from runtime.database import Unavailable, transaction
from runtime.settings import settings
from workers.running import Roll, Running

log = structlog.get_logger()

_LOOK = 0.2  # seconds between looks at a lease that does not hold


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
    withdraw: Callable[[float], Sequence[Taken]] = lambda _: ()  # what waits for a thread for so long (s) goes back
    doubts: set[UUID] = field(default_factory=set)  # jobs whose claim may have been committed, or not
    always_trusted: bool = False  # a process that lives and dies by another's lease
    _renewed: float = 0.0

    def join(self) -> None:
        """Enter the fleet, waiting for the database if need be, and keep the lease from now on."""
        while self.id is None:
            started = clock.monotonic()
            try:
                with transaction() as session:
                    registered = liveness.register(session, os.getpid(), self.pool, self.queues, self.slots)
                self.id, self._renewed = registered, started
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

    def await_trust(self) -> bool:
        """Wait for the lease to hold. A worker that is cut off so keeps the few hints it took, instead of eating them all.

        Returns False if this process is to stop.
        """
        while not (self.draining.is_set() or self.buried.is_set()):
            if self.is_trusted:
                return True
            self.draining.wait(_LOOK)
        return False

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
                if not self.renew():
                    log.error("given up for dead by the scheduler: this process may not go on")
                    self.buried.set()
                    self.on_burial()
                self._renewed, wait = started, period
            except Exception as error:  # noqa: BLE001 - were this thread to end, the worker would take hints and run none
                log.warning("lease not renewed", error=repr(error)[:300], trusted=self.is_trusted)
                wait = min(1.0, period)

    def renew(self) -> bool:
        """Renew the lease, write what the attempts say, and hear what is wanted of them. False: given up for dead."""
        assert self.id is not None  # noqa: S101 - join comes first
        doubts = set(self.doubts)
        with transaction(lasting=False) as session:
            if not liveness.renew(session, self.id):
                return False
            held = liveness.held(session, self.id)
            snapshot = self.roll.snapshot()
            for running in snapshot:
                write_record(session, running)
        wanted = {claim.job_id for claim, cancel_requested in held if cancel_requested}
        for running in snapshot:
            if running.claim.job_id in wanted and not running.cancelled:
                running.cancel()
        for claim, _ in held:
            if not self.roll.has_in_hand(claim.job_id):
                give_back(claim, never_begun=claim.job_id in doubts)
        self.doubts -= doubts
        return True


def give_back(claim: Claim, *, never_begun: bool) -> None:
    """The ledger says that a job runs here, and it does not: the answer to a commit was lost, or we have a bug."""
    with transaction() as session:
        job = store.find(session, claim.job_id)
        if never_begun:
            attempts.hand_back(session, claim, clock.now())
        elif job is not None and (job.epoch, job.worker) == (claim.epoch, claim.worker):
            liveness.rescue(session, job, poison=settings().poison_crashes)
    log.warning("given back: no thread here has it in hand", job_id=str(claim.job_id), never_begun=never_begun)


def write_record(session: Session, running: Running) -> None:
    """Write the lines and the progress that have gathered, unless the attempt has been overtaken."""
    lines, progress = running.take_record()
    if not lines and progress is None:
        return
    after_rollback(session, partial(running.keep_record, lines, progress))
    claim = running.claim
    mine = Job.id == claim.job_id, Job.epoch == claim.epoch
    kept = update(Job).where(*mine).values(progress=progress if progress is not None else Job.progress).returning(Job)
    job = session.scalars(kept, execution_options={"synchronize_session": False, "populate_existing": True}).one_or_none()
    if job is None:
        return
    outbox.tell_record(session, job, lines, progress)
    if lines:
        rows = [{"job_id": claim.job_id, "epoch": claim.epoch, "at": at, "level": lv, "message": m} for at, lv, m in lines]
        session.execute(insert(LogLine), rows)


class _Here:
    """Which member this process is."""

    member: Member | None = None
    joined = threading.Event()


def enlist(member: Member) -> Member:
    """Make `member` this process's own, and join."""
    member.join()
    _Here.member = member
    _Here.joined.set()
    return member


def present() -> Member | None:
    """This process's member, if it has joined."""
    return _Here.member


def here(seconds: float = 30) -> Member:
    """This process's member. RabbitMQ sends the first hints while it is still joining: they wait for it.

    Raises:
        RuntimeError: it has not joined within `seconds`.
    """
    _Here.joined.wait(seconds)
    if _Here.member is None:
        raise RuntimeError("this process has not joined as a worker")
    return _Here.member
