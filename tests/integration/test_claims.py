"""Claims of hints that came in, on the ledger."""

import pytest
from sqlalchemy import Connection, Engine

from jobs import attempts, liveness
from jobs.outcome import Succeeded
from jobs.policy import RetryPolicy
from jobs.states import State
from runtime import clock, prepared, sqlite
from runtime.database import transaction
from tests import make, sql_faults
from workers import claims
from workers.member import Member


@pytest.mark.parametrize(("on_unknown", "waits"), [("retry", False), ("confirm", True), ("fail", True)])
@pytest.mark.parametrize("ledger", ["sqlite"], indirect=True)
def test_a_claim_waits_for_the_disk_only_if_the_job_may_not_run_again_after_it(
    ledger: Engine, on_unknown: str, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = Member("threads", ["default"], 4, always_trusted=True)
    with transaction() as session:
        member.id = liveness.register(session, 1, member.pool, member.queues, member.slots)
        job = make.job(session, State.QUEUED, retry=RetryPolicy.model_validate({"on_unknown": on_unknown}))
    waited: list[Connection] = []
    monkeypatch.setattr(sqlite, "outlast", waited.append)
    taken = claims.take(job.id, member)
    assert taken is not None
    assert bool(waited) is waits


def test_the_first_job_of_a_worker_waits_for_no_statement_to_be_made(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = Member("threads", ["default"], 4, always_trusted=True)
    with transaction() as session:
        member.id = liveness.register(session, 1, member.pool, member.queues, member.slots)
        job = make.job(session, State.QUEUED)
    claims.rehearse()
    monkeypatch.setattr(prepared, "_Made", None)
    taken = claims.take(job.id, member)
    assert taken is not None
    with transaction() as session:
        assert attempts.succeed_all(session, [(taken, Succeeded(None))], clock.now()) == [True]


def test_a_worker_that_finds_no_database_begins_all_the_same(ledger: Engine) -> None:
    with sql_faults.none_works(ledger):
        claims.rehearse()
