"""A third party that misbehaves in every way: its jobs end well, with as many calls as it took and one effect a key."""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from jobs.states import State
from tests.chaos.conftest import Record
from tests.laboratory import Lab
from tests.servers import wait_until

EACH = 100  # jobs for each way to misbehave
AWAY = 20.0  # seconds
CONDUCTS = {"/broken?times=2": 3, "/busy?times=2&after=1": 3, "/reset?times=2": 3, "/drip?seconds=3": 2, "/effect": 1}
"""Each with the calls that a job takes."""


pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def lab(laboratory: Callable[..., Lab]) -> Lab:
    return laboratory(door_patience="10s").start()


@pytest.fixture(params=["sqlite"])
def ledger_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """It is about the other side."""
    return f"sqlite:///{tmp_path_factory.mktemp('third') / 'treadle.db'}"


def test_whatever_a_third_party_does_each_job_ends_well_with_one_effect(lab: Lab, record: Record) -> None:
    sent = {conduct: [_call(lab, conduct, timeout="2s") for _ in range(EACH)] for conduct in CONDUCTS}
    assert lab.wait_settled(120) == {State.SUCCEEDED: EACH * len(CONDUCTS)}
    calls = lab.third_party.calls
    assert set(calls) == {str(job_id) for ids in sent.values() for job_id in ids}, "a job keeps its key"
    assert lab.third_party.effects == set(calls)
    for conduct, ids in sent.items():
        assert {len(calls[str(job_id)]) for job_id in ids} == {CONDUCTS[conduct]}, conduct
    asked_to_wait = [calls[str(job_id)] for job_id in sent["/busy?times=2&after=1"]]
    assert min(later[0] - earlier[1] for spans in asked_to_wait for earlier, later in pairwise(spans)) >= 1
    record(16, "third party: 500, 429, reset after the effect, slow drip", "–", "500 of 500 done, no call too many", None)


def test_a_third_party_that_is_away_finds_all_its_jobs_when_it_is_back(lab: Lab, record: Record) -> None:
    lab.third_party.leave()
    ids = [_call(lab, "/effect", max_attempts=30) for _ in range(EACH)]
    until = time.monotonic() + AWAY
    wait_until(lambda: time.monotonic() > until, AWAY + 1, "the third party to have been away")
    lab.third_party.come_back()
    back = time.monotonic()
    assert lab.wait_settled(60) == {State.SUCCEEDED: EACH}
    recovered = time.monotonic() - back
    assert {len(spans) for spans in lab.third_party.calls.values()} == {1}
    assert max(lab.job(job_id)["attempt"] for job_id in ids) <= 30
    record(16, f"third party away for {AWAY:g} s", "–", f"{EACH} of {EACH} done, one call each", recovered)


def _call(lab: Lab, conduct: str, timeout: str = "10s", max_attempts: int = 5) -> UUID:
    payload: dict[str, Any] = {"method": "POST", "url": f"{lab.third_party.url}{conduct}", "json": {"order": str(uuid4())}}
    backoff = {"kind": "exponential", "initial": "200ms", "max": "4s"}
    return lab.submit("http.request", payload, timeout=timeout, retry={"max_attempts": max_attempts, "backoff": backoff})
