"""kill -9 of every part, at random and at the worst moments, and what is left of the jobs: all of them."""

import time
from collections.abc import Callable

import pytest

from jobs.states import FINAL, State
from tests.chaos.conftest import Record
from tests.chaos.forms import forms
from tests.laboratory import ChildOf, Lab, Monkey
from tests.servers import wait_until

LEASE = 5  # seconds, the laboratory's
BUSY = 10  # seconds more, where the machine has other work too

WORST_MOMENTS = ("after the claim", "after the provider's yes", "before settle", "after settle")


@pytest.mark.timeout(600)
@forms("jobs, kills", short=(200, 3), long=(800, 8), endurance=(2000, 20))
def test_no_job_is_lost_or_doubled_by_kills_of_a_worker(
    laboratory: Callable[..., Lab], record: Record, jobs: int, kills: int
) -> None:
    lab = laboratory().start()

    def kill_in_mid_work() -> float:
        for _ in range(kills):
            lab.wait_progress()
            lab.workers[0].kill()
            lab.workers[0].start()
        return time.monotonic()

    with lab.paused():
        accepted = lab.submit_calls(jobs, "/effect?ms=150")
    last = kill_in_mid_work()
    assert lab.wait_settled(120) == {State.SUCCEEDED: jobs}
    recovered = time.monotonic() - last
    assert lab.third_party.effects == set(accepted)
    extra = lab.starts() - jobs
    lost = f"0 of {jobs} lost, 0 doubled in {kills} kills; {extra} extra starts"
    record(1, "worker killed", "23 of 6000 lost, 39 doubled in 30 kills", lost, recovered)


@pytest.mark.timeout(600)
@forms("jobs, kills", short=(150, 5), long=(500, 20), endurance=(1000, 40))
def test_no_job_is_lost_or_doubled_by_kills_of_prefork_children(
    laboratory: Callable[..., Lab], record: Record, jobs: int, kills: int
) -> None:
    lab = laboratory().start("prefork", 4)
    worker = lab.workers[0]
    monkey = Monkey([ChildOf(worker)], every=0.5)
    lab.wait_for(lab.submit())
    with lab.paused():
        lab.submit_calls(jobs, "/effect?ms=200")
    lab.wait_progress()
    monkey.torment(lambda: wait_until(lambda: not set(lab.states()) - FINAL, 200, "all jobs to be final"), kills)
    assert lab.wait_settled(120) == {State.SUCCEEDED: jobs + 1}
    recovered = time.monotonic() - monkey.last
    extra = lab.starts() - jobs - 1
    assert extra, "no child had a job when it was killed"
    assert extra <= monkey.kills.total(), "a death costs the one job that the child had"
    lost = f"0 of {jobs} lost, 0 doubled in {monkey.kills.total()} kills; {extra} extra starts"
    record(2, "pool child killed", "19 of 500 lost in 20 kills", lost, recovered)


@pytest.mark.timeout(600)
@forms("jobs, kills", short=(100, 2), long=(1000, 6), endurance=(2000, 10))
def test_each_key_is_one_job_however_often_the_api_is_killed(
    laboratory: Callable[..., Lab], record: Record, jobs: int, kills: int
) -> None:
    lab = laboratory().start()
    monkey = Monkey([lab.api], every=1)
    accepted = monkey.torment(lambda: lab.submit_calls(jobs), kills)
    began = time.monotonic()
    assert lab.wait_settled(120) == {State.SUCCEEDED: jobs}, "a key made two jobs, or a 202 had no row"
    assert lab.third_party.effects == set(accepted)
    made = f"{jobs} keys, {jobs} jobs in {monkey.kills.total()} kills"
    record(3, "API killed under POSTs with a key", "–", made, time.monotonic() - began)


@pytest.mark.parametrize("fault", ["die 1/20", "drop 1/1"])
@forms("jobs", short=(60,), long=(200,))
def test_a_job_whose_hint_was_never_sent_is_found_and_run(
    laboratory: Callable[..., Lab], record: Record, jobs: int, fault: str
) -> None:
    lab = laboratory()
    lab.api.arm(f"between commit and publish: {fault}")
    lab.start()
    lab.supervise(lambda: lab.submit_calls(jobs, threads=4))
    assert lab.wait_settled(60) == {State.SUCCEEDED: jobs}
    latest = lab.lateness()[-1]
    assert latest <= 2 + 2 + 1 + BUSY, "hint_grace, the scheduler's period, a second"
    what = "API dies between commit and hint" if fault.startswith("die") else "no hint is ever sent"
    record(4, what, "–", f"0 of {jobs} lost, latest start after {latest:.1f} s", latest)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("pool", ["threads", "prefork"])
@forms("jobs, nth", short=(44, 6), long=(300, 16), long_on=("sqlite",))
def test_a_worker_may_die_at_the_worst_moments(
    laboratory: Callable[..., Lab], record: Record, jobs: int, nth: int, pool: str
) -> None:
    lab = laboratory()
    first, *others = (f"{where}: die 1/{nth}" for where in WORST_MOMENTS)
    for failpoints in others:
        lab.add_worker(pool, 2, failpoints=failpoints)
    lab.start(pool, 2, failpoints=first)
    accepted = lab.supervise(lambda: lab.submit_calls(jobs))
    began = time.monotonic()
    assert lab.wait_settled(200) == {State.SUCCEEDED: jobs}
    assert lab.third_party.effects == set(accepted)
    struck, extra = lab.struck(), lab.third_party.count() - jobs
    assert set(struck) == set(WORST_MOMENTS), struck
    lost = f"0 of {jobs} lost, 0 doubled in {struck.total()} deaths; {extra} extra calls, by the same keys"
    record(1, f"worker dies around the call and its record ({pool})", "–", lost, time.monotonic() - began)
