"""Recording how attempts ended: the work is done, so its outcome waits for the database as long as it takes."""

from collections.abc import Callable, Sequence
from typing import Any

import structlog
from sqlalchemy.orm import Session

from jobs import attempts
from jobs.model import Job
from jobs.outcome import Succeeded, Verdict
from runtime import clock
from workers import writes
from workers.member import write_record
from workers.running import Running

log = structlog.get_logger()


def settle(running: Running, verdict: Verdict) -> Job | None:
    """Record the verdict. Returns the job as it now stands; None if the claim had been overtaken."""
    job: Job | None = writes.join(_settle_all, (running, verdict), running.claim.job_id, insists=True).answer.result()
    return job


def settle_soon(running: Running, success: Succeeded, then: Callable[[bool], None]) -> None:
    """Record a success together with what else ends meanwhile; its thread goes on, and need not wait.

    `then` is called once it is committed, with whether it was recorded: False if the claim had been overtaken.
    """
    running.ended = True
    writes.send(
        _succeed_all,
        (running, success),
        lambda recorded: then(_recorded(running, recorded)),
        running.claim.job_id.hex,
        insists=True,
        patient=True,
    )


def _recorded(running: Running, recorded: bool | BaseException) -> bool:
    if isinstance(recorded, BaseException):
        log.error("an outcome could not be recorded", job_id=str(running.claim.job_id), error=repr(recorded)[:500])
        return False
    return recorded


def _settle_all(session: Session, ended: Sequence[tuple[Running, Verdict]]) -> list[Job | None]:
    _write_records(session, ended)
    return [attempts.settle(session, running.claim, verdict, clock.now()) for running, verdict in ended]


def _succeed_all(session: Session, ended: Sequence[tuple[Running, Succeeded]]) -> list[bool]:
    _write_records(session, ended)
    return attempts.succeed_all(session, [(running.job, success) for running, success in ended], clock.now())


def _write_records(session: Session, ended: Sequence[tuple[Running, Any]]) -> None:
    for running, _ in ended:
        write_record(session, running)
