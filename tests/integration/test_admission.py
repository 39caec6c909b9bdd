"""What the door takes, and as what: shares of callers, and queues that are late."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from jobs import admission, flow, queues
from jobs.errors import Overloaded
from jobs.model import Job
from jobs.states import State
from jobs.submit import submit
from runtime import clock as clock_module
from runtime.broker import Hint
from runtime.database import transaction
from tests import make
from tests.clock import Clock

pytestmark = pytest.mark.usefixtures("ledger", "sent")

Configure = Callable[..., None]
NORMAL, HIGH = 1, 2


@pytest.fixture(autouse=True)
def fresh(clock: Clock) -> None:
    """A process that remembers nothing yet, and whose time stands still."""
    clock.advance(0)
    admission.shares.__init__()
    admission.lateness.__init__()


def send(count: int, caller: str | None = "greedy", **changes: object) -> list[Job]:
    jobs = []
    for _ in range(count):
        with transaction() as session:
            jobs.append(submit(session, make.order(caller=caller, **changes)).job)
    return jobs


def start(job: Job) -> None:
    with transaction() as session:
        assert make.claim(session, job.id, make.worker(session), clock_module.now())


def priorities(jobs: list[Job]) -> list[int]:
    return [job.priority for job in jobs]


def test_what_a_caller_sends_beyond_its_share_is_taken_as_low(configure: Configure) -> None:
    configure(fair_share=3)
    assert priorities(send(5, priority=HIGH)) == [HIGH] * 3 + [0] * 2
    assert priorities(send(1, "modest")) == [NORMAL]
    assert priorities(send(1, queue="cpu")) == [NORMAL], "a share is one of a queue"
    assert priorities(send(5, caller=None)) == [NORMAL] * 5, "what comes from within has no share"


def test_the_share_is_counted_in_the_ledger_so_that_it_holds_over_processes(configure: Configure, clock: Clock) -> None:
    configure(fair_share=3)
    send(2)
    admission.shares.__init__()
    assert priorities(send(2)) == [NORMAL, 0]
    clock.advance(1)
    assert priorities(send(1)) == [0]


def test_a_place_is_free_again_when_a_job_of_it_has_started(configure: Configure, clock: Clock) -> None:
    configure(fair_share=2)
    first, _ = send(2)
    start(first)
    clock.advance(1)
    assert priorities(send(2)) == [NORMAL, 0]


def test_jobs_for_later_take_no_place_and_are_not_put_behind(configure: Configure, clock: Clock) -> None:
    configure(fair_share=1)
    assert priorities(send(3, run_at=clock.now() + timedelta(hours=1))) == [NORMAL] * 3
    assert priorities(send(2)) == [NORMAL, 0]


def test_without_a_setting_nobody_is_put_behind_or_refused(clock: Clock) -> None:
    send(1)
    clock.advance(86400)
    assert priorities(send(5)) == [NORMAL] * 5


def test_a_late_queue_refuses_what_is_not_more_important_than_its_oldest_job(configure: Configure, clock: Clock) -> None:
    configure(shed_after="10s")
    send(1)
    clock.advance(9)
    send(1, "modest")
    clock.advance(2)
    with pytest.raises(Overloaded) as refusal:
        send(1)
    assert refusal.value.after == timedelta(seconds=2.5)
    send(1, priority=HIGH)
    send(1, queue="cpu")
    send(1, caller=None)
    send(1, run_at=clock.now() + timedelta(seconds=1))


def test_who_floods_a_queue_is_refused_and_the_others_are_not(configure: Configure, clock: Clock, sent: list[Hint]) -> None:
    configure(fair_share=2, shed_after="10s")
    flood = send(20)
    for job in flood[:2]:
        start(job)
    clock.advance(11)
    send(2)
    with pytest.raises(Overloaded):
        send(1)
    assert priorities(send(2, "modest")) == [NORMAL] * 2


def test_a_paused_queue_is_late_on_purpose(configure: Configure, clock: Clock) -> None:
    configure(shed_after="10s")
    send(1)
    with transaction() as session:
        queues.pause(session, "default")
    clock.advance(60)
    send(1)


def test_hints_of_less_important_jobs_do_not_hold_a_job_up(configure: Configure, clock: Clock, sent: list[Hint]) -> None:
    configure(hint_window=3)
    send(10, priority=0)
    assert len(sent) == 3
    (job,) = send(1)
    assert (job.state, sent[-1].job_id) == (State.QUEUED, job.id)
    with transaction() as session:
        waiting = [make.job(session, priority=NORMAL).id for _ in range(3)]
        assert flow.due_within(session, "default", clock.now(), flow.rooms(session, "default")) == waiting[:2]
