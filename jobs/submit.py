"""The way in: a request becomes one committed row; its hint follows the commit."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from jobs import flow, queries
from jobs.errors import KeyReused
from jobs.model import DEFAULT_TENANT, IdempotencyKey, Job
from jobs.policy import RetryPolicy
from jobs.states import State
from runtime import clock, metrics
from runtime.database import after_commit
from runtime.settings import settings


@dataclass(frozen=True)
class Order:
    """What a caller asks for, checked and complete."""

    task: str
    payload: Any
    queue: str
    priority: int = 1
    run_at: datetime | None = None  # None: as soon as it may
    expires_at: datetime | None = None
    timeout: timedelta = timedelta(minutes=1)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    tenant: str = DEFAULT_TENANT
    schedule_id: UUID | None = None
    request_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True)
class Submission:
    """The job that stands for a request, and whether an earlier request with the same key had made it."""

    job: Job
    replayed: bool = False


def submit(session: Session, order: Order, key: str | None = None, digest: str = "") -> Submission:
    """Record a job, once for each idempotency key.

    Args:
        session: its transaction is the job's acceptance.
        order: what to do.
        key: the caller's Idempotency-Key, if any.
        digest: of the request, to tell a repeat from another request with the same key (see `digest_of`).

    Raises:
        KeyReused: the key came before with another request.
    """
    now, job_id = clock.now(), uuid7()
    if key is not None:
        earlier = _remember(session, order.tenant, key, digest, job_id, now)
        if earlier is not None:
            metrics.replayed.inc()
            return Submission(earlier, replayed=True)
    job = _row(job_id, order, now)
    if job.run_at <= now and flow.window.take(session, job.queue, now):
        job.state, job.hinted_at = State.QUEUED, now
        flow.offer(session, [job])
    session.add(job)
    session.flush()
    after_commit(session, partial(metrics.submitted.labels(job.task, job.queue).inc))
    return Submission(job)


def digest_of(request: Any) -> str:
    """A digest of a request's meaning: the same for the same JSON in another order or spacing."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def _row(job_id: UUID, order: Order, now: datetime) -> Job:
    return Job(
        id=job_id,
        tenant=order.tenant,
        task=order.task,
        queue=order.queue,
        priority=order.priority,
        payload=order.payload,
        tags=order.tags,
        meta=order.metadata,
        retry=order.retry.model_dump(mode="json"),
        timeout=order.timeout,
        state=State.SCHEDULED,
        epoch=0,
        attempt=0,
        budget_from=0,
        budget_at=now,
        crashes=0,
        cancel_requested=False,
        created_at=now,
        run_at=order.run_at or now,
        expires_at=order.expires_at,
        schedule_id=order.schedule_id,
        request_id=order.request_id,
        traceparent=order.traceparent,
    )


def _remember(session: Session, tenant: str, key: str, digest: str, job_id: UUID, now: datetime) -> Job | None:
    """Note the key for this job; if it is known, the job that it stands for."""
    session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.tenant == tenant, IdempotencyKey.key == key, IdempotencyKey.expires_at <= now
        )
    )
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    row = {
        "tenant": tenant,
        "key": key,
        "digest": digest,
        "job_id": job_id,
        "expires_at": now + settings().idempotency_window,
    }
    noted = session.execute(
        dialect.insert(IdempotencyKey).values(row).on_conflict_do_nothing().returning(IdempotencyKey.job_id)
    )
    if noted.one_or_none() is not None:
        return None
    known = session.scalars(select(IdempotencyKey).where(IdempotencyKey.tenant == tenant, IdempotencyKey.key == key)).one()
    if known.digest != digest:
        raise KeyReused
    return queries.get(session, tenant, known.job_id)
