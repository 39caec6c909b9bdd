"""Stopping: no new work, running attempts may end, what does not end in time is handed back with no attempt spent."""

import os
import threading
from collections.abc import Callable

import structlog
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from jobs import attempts
from runtime import clock
from runtime.database import Unavailable, transaction
from runtime.publisher import publisher
from runtime.settings import settings
from workers import claims
from workers.member import Member, write_record
from workers.running import Running

log = structlog.get_logger()

AFTERWARDS = 3.0  # seconds for the rest of the process to end in its own way


class Drain:
    """The orderly end of a worker process. `exit` is os._exit, but for tests."""

    def __init__(self, member: Member, leave_process: Callable[[int], None] = os._exit) -> None:
        self.member = member
        member.on_burial = lambda: self.start("given up for dead", code=75, grace=0)
        self._exit = leave_process
        self._started = threading.Lock()
        self._done = threading.Event()

    def start(self, why: str, code: int = 0, grace: float | None = None) -> None:
        """Begin to stop; the process ends within `grace` seconds (the setting drain_grace) and a moment."""
        if self._started.acquire(blocking=False):
            self.member.draining.set()
            log.info("draining", why=why, running=len(self.member.roll.snapshot()))
            seconds = settings().drain_grace.total_seconds() if grace is None else grace
            threading.Thread(target=self._run, args=(seconds, code), name="drain", daemon=True).start()

    def _run(self, grace: float, code: int) -> None:
        claims.put_back(self.member.withdraw(0), self.member)
        self.member.roll.wait_empty(grace)
        self.hand_back()
        self.member.leave()
        publisher.close()
        self._done.set()
        threading.Event().wait(AFTERWARDS)  # if Celery's own shutdown ends the process meanwhile, all the better
        self._exit(code)

    def finish(self) -> None:
        """Wait, at the end of Celery's own shutdown, until everything is handed back and said."""
        if self.member.draining.is_set():
            self._done.wait(settings().drain_grace.total_seconds() + AFTERWARDS)

    def hand_back(self) -> None:
        """Give the attempts that still run to other workers."""
        for running in self.member.roll.snapshot():
            if not running.counts:
                continue
            running.fenced = True  # its thread goes on for a moment; it may no longer write
            try:
                _hand_back(running)
            except Unavailable:
                log.warning(
                    "not handed back: the database is away; the scheduler will rescue it", job_id=str(running.claim.job_id)
                )


@retry(retry=retry_if_exception_type(Unavailable), wait=wait_fixed(0.2), stop=stop_after_delay(5), reraise=True)
def _hand_back(running: Running) -> None:
    with transaction() as session:
        write_record(session, running)
        job = attempts.hand_back(session, running.claim, clock.now())
    log.info("handed back", job_id=str(running.claim.job_id), state=job.state if job else "overtaken")
