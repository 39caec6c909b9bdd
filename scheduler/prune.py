"""What is over: jobs that were not started in time expire, and old records are forgotten."""

from sqlalchemy import select

from jobs import journal, retention, store
from jobs.model import Job
from runtime import clock
from runtime.database import snapshot, transaction
from runtime.settings import settings

BATCH = 500


def expire() -> None:
    """Expire what was not started before its `expires_at`."""
    now = clock.now()
    overdue = select(Job.id).where(Job.expires_at <= now, Job.finished_at.is_(None), Job.attempt == 0).limit(BATCH)
    with snapshot() as session:
        ids = session.scalars(overdue).all()
    if ids:
        with transaction() as session:
            store.expire(session, ids, now)


def forget_journal() -> None:
    """Forget what no stream can be taken up at any more."""
    for _ in range(20):
        with transaction() as session:
            if journal.forget(session, clock.now(), settings().stream_window) < journal.BATCH:
                return


def prune() -> None:
    """Forget what is past its retention, in small batches."""
    for _ in range(20):
        with transaction() as session:
            if retention.prune(session, clock.now()) < retention.BATCH:
                return
