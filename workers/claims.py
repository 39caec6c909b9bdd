"""From a hint to a claimed job. Hints that come in together are claimed together, before they take a thread each."""

from collections import defaultdict, deque
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Lock
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from jobs import attempts
from jobs.model import Job
from runtime import clock
from runtime.database import Unavailable
from workers import writes
from workers.member import Member

log = structlog.get_logger()

Claiming = "Future[Job | None]"


class Claims:
    """The claims that are on their way for hints which have no thread yet."""

    def __init__(self) -> None:
        self._ahead: defaultdict[UUID, deque[Future[Job | None]]] = defaultdict(deque)
        self._lock = Lock()

    def prepare(self, job_id: UUID, member: Member) -> "Future[Job | None]":
        """Begin to claim the job; `take` then gets it. The future is done when it need not wait."""
        member.roll.grasp(job_id)
        claiming = _claim(job_id, member)
        with self._lock:
            self._ahead[job_id].append(claiming)
        return claiming

    def take(self, job_id: UUID, member: Member) -> Job | None:
        """The job, claimed, and in this process's hand; None if it is not there to be taken.

        With the database away nothing is taken; if it was all the same, the next heartbeat gives it back.
        """
        claiming = self._prepared(job_id)
        if claiming is None:
            if member.id is None or not member.await_trust():
                return None
            member.roll.grasp(job_id)
            claiming = _claim(job_id, member)
        job = None
        try:
            job = claiming.result()
        except Unavailable as error:
            member.doubts.add(job_id)
            log.warning("not claimed: the database is away", job_id=str(job_id), error=str(error)[:300])
        finally:
            if job is None:
                member.roll.let_go(job_id)
        return job

    def _prepared(self, job_id: UUID) -> "Future[Job | None] | None":
        with self._lock:
            waiting = self._ahead.get(job_id)
            if not waiting:
                return None
            claiming = waiting.popleft()
            if not waiting:
                del self._ahead[job_id]
            return claiming


def _claim(job_id: UUID, member: Member) -> "Future[Job | None]":
    return writes.join(_claim_all, (member.id, job_id), job_id).answer


def _claim_all(session: Session, wanted: Sequence[tuple[UUID, UUID]]) -> list[Job | None]:
    """Each job goes to the first hint of it; a second one is stale."""
    worker = wanted[0][0]  # a process is one member
    taken = attempts.claim_all(session, {job_id for _, job_id in wanted}, worker, clock.now())
    return [taken.pop(job_id, None) for _, job_id in wanted]


claims = Claims()
"""Those of this process."""
