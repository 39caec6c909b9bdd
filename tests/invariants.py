"""What holds after every fault, read from the ledger itself and from the third party."""

from collections import Counter, defaultdict
from collections.abc import Collection
from itertools import pairwise
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobs.model import Attempt, Job, Worker
from jobs.states import FINAL, State
from tests.third_party import ThirdParty


def check(engine: sa.Engine, accepted: Collection[UUID] = (), third_party: ThirdParty | None = None) -> None:
    """The invariants that hold at any moment, whatever is broken.

    Raises:
        AssertionError: something was lost, doubled, overlapping or half recorded.
    """
    with Session(engine) as session:
        jobs = {job.id: job for job in session.scalars(sa.select(Job))}
        attempts = list(session.scalars(sa.select(Attempt).order_by(Attempt.job_id, Attempt.epoch)))
        workers = set(session.scalars(sa.select(Worker.id)))
    lost = set(accepted) - set(jobs)
    assert not lost, f"{len(lost)} accepted jobs have no row: {_some(lost)}"
    homeless = [job.id for job in jobs.values() if job.state is State.RUNNING and job.worker not in workers]
    assert not homeless, f"running under a worker that the ledger does not know: {_some(homeless)}"
    _check_attempts(jobs, attempts)
    if third_party is not None:
        _check_effects(jobs, third_party)


def check_settled(engine: sa.Engine) -> None:
    """That every job came to its end: accepted = succeeded + failed + cancelled + expired."""
    with Session(engine) as session:
        open_jobs = session.execute(sa.select(Job.id, Job.state).where(Job.state.not_in(FINAL))).all()
    assert not open_jobs, f"{len(open_jobs)} jobs are stuck: {_some(open_jobs)}"


def _check_attempts(jobs: dict[UUID, Job], attempts: list[Attempt]) -> None:
    of_job: defaultdict[UUID, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        of_job[attempt.job_id].append(attempt)
    for job_id, job in jobs.items():
        tries = of_job[job_id]
        assert [attempt.epoch for attempt in tries] == list(range(1, job.epoch + 1)), f"a claim of {job_id} has no attempt"
        open_tries = [attempt.epoch for attempt in tries if attempt.outcome is None]
        assert open_tries == ([job.epoch] if job.state is State.RUNNING else []), f"an attempt of {job_id} never ended"
        for earlier, later in pairwise(tries):
            assert earlier.finished_at is not None and earlier.finished_at <= later.started_at, f"{job_id} ran twice at once"


def _check_effects(jobs: dict[UUID, Job], third_party: ThirdParty) -> None:
    """An order is one request of a caller, repeated until it is accepted: it has one job, one key and one effect."""
    with third_party.lock:
        orders = Counter(
            body["order"] for key, body in third_party.bodies.items() if key in third_party.effects and _order(body)
        )
        effects = set(third_party.effects)
    doubled = [order for order, count in orders.items() if count > 1]
    assert not doubled, f"done twice, under two keys: {_some(doubled)}"
    claimed = [job.id for job in jobs.values() if job.state is State.SUCCEEDED and _order(job.payload.get("json"))]
    untrue = [job_id for job_id in claimed if str(job_id) not in effects]
    assert not untrue, f"recorded as done, and never done: {_some(untrue)}"


def _order(body: object) -> bool:
    return isinstance(body, dict) and "order" in body


def _some(things: Collection[object]) -> str:
    return ", ".join(map(str, list(things)[:5]))
