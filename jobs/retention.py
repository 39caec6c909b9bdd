"""What is forgotten, and when: final jobs by their state, and the small rows that outlive their use."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from jobs import inbox, liveness
from jobs.model import IdempotencyKey, Job, Tick
from jobs.states import FINAL, State
from runtime.settings import settings

BATCH = 500  # rows a transaction: the write lock is never held for long


def prune(session: Session, now: datetime) -> int:
    """Delete one batch of what is past its time. Returns how many jobs went; call again while it is a full batch."""
    gone = 0
    for state in FINAL:
        keep = settings().retention_succeeded if state is State.SUCCEEDED else settings().retention_failed
        old = (
            select(Job.id)
            .where(Job.state == state, Job.finished_at < now - keep)
            .order_by(Job.finished_at)
            .limit(BATCH - gone)
        )
        gone += session.execute(delete(Job).where(Job.id.in_(old))).rowcount  # type: ignore[attr-defined]
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.expires_at < now))
    session.execute(delete(Tick).where(Tick.at < now - settings().retention_failed))
    inbox.forget(session, now - settings().retention_events, BATCH)
    liveness.forget_stopped(session, now - timedelta(days=1))
    return gone
