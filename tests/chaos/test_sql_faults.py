"""SQL that fails by a chance, in every process and under the whole suite: what is not done is said, and done later."""

import re
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from jobs.states import State
from tests.chaos.conftest import Record
from tests.chaos.forms import forms
from tests.laboratory import ROOT, Lab

CHANCE = 0.02


@pytest.mark.timeout(600)
@forms("jobs", short=(150,), long=(500,), endurance=(1000,))
def test_the_stack_survives_sql_that_fails_and_commits_in_doubt(
    laboratory: Callable[..., Lab], record: Record, jobs: int
) -> None:
    """A commit in doubt is stored and told as failed: a claim that its worker does not know of, an outcome written twice."""
    lab = laboratory(failpoints=f"in the store: fail {CHANCE}").start()
    lab.add_worker("prefork", 2)
    accepted = lab.supervise(lambda: lab.submit_calls(jobs))
    began = time.monotonic()
    assert lab.wait_settled(90) == {State.SUCCEEDED: jobs}
    assert lab.third_party.effects == set(accepted)
    extra = lab.third_party.count() - jobs
    ours = f"0 of {jobs} lost, stuck or doubled; {extra} extra calls"
    record(20, f"{CHANCE:.0%} of SQL fails in every process", "–", ours, time.monotonic() - began)


@pytest.mark.endurance
@pytest.mark.timeout(1500)
def test_the_suite_passes_while_sql_fails(record: Record) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.faulty", "--sql-faults", str(CHANCE), "tests/integration"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1400, check=False)
    assert run.returncode == 0, run.stdout[-5000:]
    told = re.search(r"^sql faults: (.*);", run.stdout, re.MULTILINE)
    assert told, run.stdout[-2000:]
    record(20, f"{CHANCE:.0%} of SQL fails under the integration suite", "–", told[1], None)
