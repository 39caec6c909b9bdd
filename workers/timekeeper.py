"""What time does to jobs in hand: an attempt past its deadline is fenced off and recorded, whatever its thread does, and a
claimed job that gets no thread goes to another worker.
"""

import os
import threading

import structlog

from jobs import attempts
from runtime import metrics
from runtime.database import Unavailable, snapshot
from workers import claims
from workers.attempt import timed_out
from workers.drain import Drain
from workers.member import Member
from workers.running import Running
from workers.settlement import settle

log = structlog.get_logger()

GRACE = 1.0  # seconds for the task to notice by itself: its HTTP calls are bounded by what remains
LONGEST_WAIT = 1.0
PATIENCE = 1.0  # seconds that a claimed job waits for a thread: it was claimed for one that was to be free at once


def keep_time(member: Member, drain: Drain) -> None:
    """Watch the deadlines of this process's attempts, from a thread of its own."""
    threading.Thread(target=_watch, args=(member, drain), name="timekeeper", daemon=True).start()


def _watch(member: Member, drain: Drain) -> None:
    while True:
        for running in member.roll.wait_overdue(GRACE, LONGEST_WAIT):
            _fence(running)
            if member.pool == "prefork":
                member.leave()
                os._exit(70)  # the one way to end a hung attempt; the pool starts a new child
        claims.put_back(member.withdraw(PATIENCE), member)
        hung = sum(running.fenced for running in member.roll.snapshot())
        if hung * 2 >= member.slots and not member.draining.is_set():
            drain.start(f"{hung} of {member.slots} threads hang in attempts past their time")


def _fence(running: Running) -> None:
    running.fenced = True
    try:
        with snapshot() as session:
            job = attempts.held(session, running.claim)
        if job is None:
            return
        running.settled = settle(running, timed_out(job))
    except Unavailable:
        running.fenced = False  # tried again on the next round
        return
    metrics.overruns.labels(running.task).inc()
    log.warning("attempt fenced off at its time limit", job_id=str(running.claim.job_id), task=running.task)
