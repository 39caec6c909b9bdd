"""A worker process against the ledger: what it holds there, and what it has in hand."""

import threading
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from jobs import attempts, liveness, queries, store
from jobs.claims import Claim
from jobs.model import Attempt, Job
from jobs.outcome import Succeeded
from jobs.states import Ending, State
from runtime import clock
from runtime.database import snapshot, transaction
from runtime.group_commit import GroupCommit
from tests import make, sql_faults
from workers import settlement
from workers.member import Member, give_back
from workers.running import Running


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
    with sql_faults.none_works(ledger) as faults:
        monkeypatch.setattr(joining.draining, "wait", lambda _: setattr(faults, "chance", 0))
        joining.join()
    joining.buried.set()
    assert joining.renew(), "its row is there"


def _says(member: Member, job: Job, *lines: str) -> Running:
    running = Running(make.taken(job), 0)
    member.roll.grasp([job.id])
    member.roll.add(running)
    for line in lines:
        running.write_line("info", line)
    return running


def _lines(job: Job) -> list[str]:
    with snapshot() as session:
        return [line.message for line in queries.log_lines(session, job.id, 100)]


def test_what_a_job_said_is_written_though_a_heartbeat_fails(member: Member, ledger: Engine) -> None:
    job = _running(member)
    running = _says(member, job, "first")
    running.write_progress(1, 2, "half")

    def fail(_: Connection) -> None:
        running.write_line("info", "second")
        raise OperationalError("COMMIT", {}, Exception("refused"))

    event.listen(ledger, "commit", fail)
    with pytest.raises(OperationalError):
        member.renew()
    event.remove(ledger, "commit", fail)
    assert _lines(job) == []
    member.renew()
    assert [line for line in _lines(job) if "{" not in line] == ["first", "second"]
    with snapshot() as session:
        progress = session.get_one(Job, job.id).progress
    assert progress is not None and progress["done"] == 1


def test_what_jobs_said_is_written_though_one_that_ends_with_them_is_refused(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [_running(member), _running(member)]
    ended = [_says(member, job, f"line {number}") for number, job in enumerate(jobs)]
    settle_each = attempts.settle

    def refuse_the_second(session: Session, claim: Claim, *more: Any) -> Job | None:
        if claim.job_id == jobs[1].id:
            raise ValueError("refused")
        return settle_each(session, claim, *more)

    monkeypatch.setattr(attempts, "settle", refuse_the_second)
    group, busy, go = GroupCommit(1), threading.Event(), threading.Event()
    group.put(lambda _: (busy.set(), go.wait(10)))
    assert busy.wait(10)
    calls = [group.join(settlement._settle_all, (running, Succeeded(None))) for running in ended]
    go.set()
    assert calls[0].answer.result(10)
    with pytest.raises(ValueError, match="refused"):
        calls[1].answer.result(10)
    group.close()
    assert _lines(jobs[0]) == ["line 0"]
    assert [line for _, _, line in ended[1].take_record()[0]] == ["line 1"]


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
