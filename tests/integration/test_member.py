"""A worker process against the ledger: what it holds there, and what it has in hand."""

import pytest
from sqlalchemy import Engine

from jobs import attempts, liveness, store
from jobs.model import Attempt, Job
from jobs.states import Ending, State
from runtime import clock
from runtime.database import snapshot, transaction
from tests import make, sql_faults
from workers.member import Member, give_back


@pytest.fixture
def member(ledger: Engine) -> Member:
    joined = Member("threads", ["default"], 4)
    with transaction() as session:
        joined.id = liveness.register(session, 1, joined.pool, joined.queues, joined.slots)
    return joined


def _running(member: Member) -> Job:
    with transaction() as session:
        return make.job(session, State.RUNNING, member.id)


def _left(job: Job) -> tuple[State, int, int, Ending | None]:
    with snapshot() as session:
        found = store.find(session, job.id)
        attempt = session.get_one(Attempt, (job.id, 1))
    assert found is not None
    return found.state, found.attempt, found.crashes, attempt.outcome


def test_a_worker_whose_registration_was_not_committed_registers_again(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    joining = Member("threads", ["default"], 4)
    monkeypatch.setattr(joining.draining, "wait", lambda _: sql_faults.end(refusal, ledger))
    refusal = sql_faults.inject(1, ledger, doubtful=False)
    joining.join()
    joining.buried.set()
    assert joining.renew(), "its row is there"


def test_a_claim_whose_commit_was_in_doubt_goes_back_as_never_begun(member: Member) -> None:
    job = _running(member)
    member.doubts.add(job.id)
    member.renew()
    assert not member.doubts
    assert _left(job) == (State.SCHEDULED, 0, 0, Ending.HANDED_BACK)


def test_a_job_that_nobody_here_has_in_hand_any_more_counts_as_lost(member: Member) -> None:
    job = _running(member)
    member.renew()
    assert _left(job) == (State.SCHEDULED, 0, 1, Ending.LOST)


def test_a_job_in_hand_is_left_alone(member: Member) -> None:
    job = _running(member)
    member.roll.grasp([job.id])
    member.roll.grasp([job.id])
    member.renew()
    member.roll.let_go([job.id])
    member.renew()
    assert _left(job) == (State.RUNNING, 1, 0, None)


def test_a_job_that_has_ended_meanwhile_stays_ended(member: Member) -> None:
    job = _running(member)
    claim = make.claim_of(job)
    with transaction() as session:
        attempts.settle(session, claim, make.SUCCESS, clock.now())
    give_back(claim, never_begun=True)
    give_back(claim, never_begun=False)
    assert _left(job) == (State.SUCCEEDED, 1, 0, Ending.SUCCEEDED)
