"""Guards taken out, one at a time: the test that should notice must go red. `make guards` prints which did.

A guard is a function of the product; without it another takes its place, in the test's process (this module is a pytest
plugin) and in the processes that the laboratory starts (tests/failpoints.py).
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobs.model import Job, Worker
from jobs.states import State
from runtime.listed import listed
from runtime.prepared import Prepared

ROOT = Path(__file__).parents[1]
LEDGER = "tests/integration/test_ledger"


@dataclass(frozen=True)
class Guard:
    """What is taken out, what takes its place (made from the original), and the test that must notice."""

    name: str
    place: str
    instead: Callable[[Any], Any]
    test: str


GUARDS = (
    Guard(
        "an outcome needs the epoch of its claim",
        "jobs.attempts:_held",
        lambda _: lambda claim: (Job.id == claim.job_id,),
        f"{LEDGER}_moves.py::test_a_late_word_of_an_overtaken_worker_is_refused",
    ),
    Guard(
        "so does a success that is recorded with others",
        "jobs.attempts:_succeed_quietly",
        lambda succeed: (
            lambda session, ended, now: succeed(session, _as_held_now(session, ended), now) and {job.id for job, _ in ended}
        ),
        f"{LEDGER}_moves.py::test_a_late_success_among_others_is_refused_and_theirs_are_recorded",
    ),
    Guard(
        "only a queued job can be claimed",
        "jobs.claims:_CLAIM",
        lambda claim: _claim_anything(claim.statement.exported_columns),
        f"{LEDGER}_moves.py::test_every_move_from_every_state",
    ),
    Guard(
        "a due time is noted once",
        "jobs.schedules:_note",
        lambda note: lambda *args: bool(note(*args)) or True,
        "tests/integration/test_schedules.py::test_a_due_time_that_was_noted_is_not_made_again_even_if_the_schedule_was_set_back",
    ),
    Guard(
        "a key stands for one request",
        "jobs.idempotency:remember",
        lambda _: lambda *_: {},
        f"{LEDGER}_submit.py::test_twenty_threads_with_one_key_make_one_job",
    ),
    Guard(
        "a hint follows the commit",
        "runtime.afterwards:after_commit",
        lambda _: lambda _session, callback: callback(),
        "tests/unit/api/test_group_commit.py::test_what_was_to_follow_the_commit_of_an_undone_call_is_dropped",
    ),
    Guard(
        "a buried worker cannot renew",
        "jobs.liveness:renew",
        lambda _: lambda session, worker: session.execute(_beat(worker)).rowcount == 1,
        f"{LEDGER}_liveness.py::test_of_a_beat_and_a_burial_at_the_same_moment_one_wins",
    ),
    Guard(
        "a worker that has just beaten is not buried",
        "jobs.liveness:bury",
        lambda _: lambda session, worker, _beats: session.execute(_burial(worker)).rowcount == 1,
        f"{LEDGER}_liveness.py::test_a_beat_in_the_last_moment_saves_the_worker",
    ),
    Guard(
        "a worker past its trust window calls nobody",
        "workers.member:Member.is_trusted",
        lambda _: property(lambda _: True),
        "tests/chaos/test_outages.py::test_a_worker_that_cannot_renew_its_lease_begins_no_call",
    ),
    Guard(
        "a suspect runs alone",
        "jobs.liveness:is_suspect",
        lambda _: lambda *_: False,
        "tests/chaos/test_workers.py::test_poison_ends_in_the_dead_letter_and_takes_no_innocent_job_along[sqlite-exit]",
    ),
    Guard(
        "a lost hint is offered again",
        "scheduler.dispatch:find_lost",
        lambda _: lambda: None,
        "tests/chaos/test_kills.py::test_a_job_whose_hint_was_never_sent_is_found_and_run[sqlite-short-drop 1/1]",
    ),
    Guard(
        "a claim in doubt is given back",
        "workers.member:give_back",
        lambda _: lambda *_, **__: None,
        "tests/integration/test_member.py::test_a_claim_whose_commit_was_in_doubt_goes_back_as_never_begun",
    ),
    Guard(
        "the claim of a job that may not run twice waits for the disk",
        "runtime.database:must_last",
        lambda _: lambda _session: None,
        "tests/integration/test_claims.py::test_a_claim_waits_for_the_disk_only_if_the_job_may_not_run_again_after_it",
    ),
    Guard(
        "the jobs of the dead are taken back",
        "jobs.liveness:orphans",
        lambda _: lambda _session: [],
        "tests/chaos/test_workers.py::test_a_killed_prefork_child_s_job_is_taken_back",
    ),
)


def _claim_anything(returned: Any) -> Any:
    taken = {"state": State.RUNNING, "epoch": Job.epoch + 1, "attempt": Job.attempt + 1, "finished_at": None, "reason": None}
    by: dict[str, Any] = {"worker": sa.bindparam("claimant"), "started_at": sa.bindparam("at")}
    statement = sa.update(Job).where(Job.id.in_(listed("wanted"))).values(taken | by).returning(*returned)
    return Prepared(statement, "wanted", "claimant", "at")


def _as_held_now(session: Session, ended: Any) -> Any:
    rows = [(session.get_one(Job, job.id), job, success) for job, success in ended]
    return [(job._replace(epoch=row.epoch, worker=row.worker), success) for row, job, success in rows]


def _beat(worker: Any) -> sa.Update:
    return sa.update(Worker).where(Worker.id == worker).values(beats=Worker.beats + 1)


def _burial(worker: Any) -> sa.Update:
    return sa.update(Worker).where(Worker.id == worker, Worker.stopped_at.is_(None)).values(stopped_at=Worker.beat_at)


def take_out(name: str) -> None:
    """Take a guard out of this process. Who imports the function by its name must come later."""
    (guard,) = (guard for guard in GUARDS if guard.name == name)
    module, _, path = guard.place.partition(":")
    owner: Any = import_module(module)
    *through, last = path.split(".")
    for part in through:
        owner = getattr(owner, part)
    setattr(owner, last, guard.instead(getattr(owner, last)))


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """As a plugin: before anything else of the product is imported."""
    if name := os.environ.get("TREADLE_WITHOUT"):
        take_out(name)


def said_without(guard: Guard) -> str:
    """What the guard's test says without it; nothing if it does not notice."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "--tb=line",
        "-m",
        "",
        "-p",
        "tests.guards",
        "--timeout",
        "200",
        guard.test,
    ]
    environment = os.environ | {"TREADLE_WITHOUT": guard.name, "COLUMNS": "400"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if run.returncode == pytest.ExitCode.OK:
        return ""
    failed = re.search(r"^FAILED \S+.*? - (.*)", run.stdout, re.MULTILINE)
    if run.returncode != pytest.ExitCode.TESTS_FAILED or failed is None:
        raise RuntimeError(run.stdout[-2000:] + run.stderr[-2000:])
    return failed[1]


def main(wanted: list[str]) -> int:
    """Take out each guard in turn, or those that are named. 1 if a test did not notice."""
    unnoticed = 0
    for guard in GUARDS:
        if not wanted or guard.name in wanted:
            said = said_without(guard)
            unnoticed += not said
            test = guard.test.partition("::")[2].partition("[")[0]
            print(f"{'red' if said else 'GREEN':5} without: {guard.name}\n      {test}\n      {said[:150]}", flush=True)
    return min(unnoticed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
