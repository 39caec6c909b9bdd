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


def check(engine: sa.Engine, accepted: Collection[UUID], third_party: ThirdParty) -> None:
    """The invariants that hold at any moment, whatever is broken.

    Raises:
        AssertionError: something was lost, doubled, overlapping or half recorded.
    """
    for earlier, later in (pair for tries in check_attempts(engine) for pair in pairwise(tries)):
        ended = earlier.finished_at
        assert ended is not None and ended <= later.started_at, f"{later.job_id} ran twice at once"
    with Session(engine) as session:
        jobs = {job.id: job for job in session.scalars(sa.select(Job))}
        workers = set(session.scalars(sa.select(Worker.id)))
    lost = set(accepted) - set(jobs)
    assert not lost, f"{len(lost)} accepted jobs have no row: {_some(lost)}"
    homeless = [job.id for job in jobs.values() if job.state is State.RUNNING and job.worker not in workers]
    assert not homeless, f"running under a worker that the ledger does not know: {_some(homeless)}"
    _check_effects(jobs, third_party)


def check_attempts(engine: sa.Engine) -> list[list[Attempt]]:
    """That each claim is one attempt, and epochs rise. Returns the attempts of each job."""
    with Session(engine) as session:
        jobs = session.scalars(sa.select(Job)).all()
        of_job: defaultdict[UUID, list[Attempt]] = defaultdict(list)
        for attempt in session.scalars(sa.select(Attempt).order_by(Attempt.epoch)):
            of_job[attempt.job_id].append(attempt)
    for job in jobs:
        tries = of_job[job.id]
        assert [attempt.epoch for attempt in tries] == list(range(1, job.epoch + 1)), f"a claim of {job.id} has no attempt"
        open_tries = [attempt.epoch for attempt in tries if attempt.outcome is None]
        assert open_tries == ([job.epoch] if job.state is State.RUNNING else []), f"an attempt of {job.id} never ended"
    return list(of_job.values())


def check_settled(engine: sa.Engine) -> None:
    """That every job came to its end: accepted = succeeded + failed + cancelled + expired."""
    with Session(engine) as session:
        open_jobs = session.execute(sa.select(Job.id, Job.state).where(Job.state.not_in(FINAL))).all()
    assert not open_jobs, f"{len(open_jobs)} jobs are stuck: {_some(open_jobs)}"


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
