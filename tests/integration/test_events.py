"""Events: recorded once, in one transaction with the jobs that they set off; and those that we tell ourselves."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update
from uuid_utils.compat import uuid7

from jobs import attempts, events, holds, inbox, publication, schedules, store, subscriptions
from jobs.arrival import OURS, Arrival
from jobs.errors import Forged, Invalid, RuleExists
from jobs.inbox import Wanted
from jobs.matching import rulebook
from jobs.matching.rulebook import Declared
from jobs.model import Event, Job, LogLine, Notice, Subscription
from jobs.policy import RetryPolicy
from jobs.states import State
from jobs.submit import submit
from runtime import clock as real_clock
from runtime.database import snapshot, transaction
from tasks import load
from tests import make
from tests.clock import Clock
from workers.member import write_record
from workers.running import Running

pytestmark = pytest.mark.usefixtures("ledger")

HOUR = timedelta(hours=1)


def subscribe(name: str = "receipt", **changes: Any) -> Subscription:
    values: dict[str, Any] = {
        "id": uuid7(), "tenant": "default", "name": name, "types": ["order.paid"], "where": {}, "task": "test.echo",
        "payload": "{{data}}", "queue": "default", "priority": 1, "delay": timedelta(0), "timeout": timedelta(minutes=1),
        "retry": {}, "tags": [], "paused_at": None, "created_at": real_clock.now(), "revision": 1,
    }  # fmt: skip
    made = Subscription(**values | changes)
    with transaction() as session:
        subscriptions.add(session, made)
    return made


def paid(number: object = 1, **changes: Any) -> Arrival:
    values: dict[str, Any] = {
        "type": "order.paid",
        "source": "/shop",
        "source_id": f"order-{number}",
        "data": {"order": number},
    }
    return Arrival(**values | changes)


def record(*arrivals: Arrival) -> list[events.Recorded]:
    with transaction() as session:
        return events.record(session, arrivals)


def jobs() -> list[Job]:
    with snapshot() as session:
        return list(session.scalars(select(Job).order_by(Job.id)))


def count(table: type[Any]) -> int:
    with snapshot() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def publish() -> int:
    with transaction() as session:
        return publication.publish(session, 100)


@pytest.fixture
def in_code() -> Iterator[None]:
    rulebook.declare(Declared("code", ("order.*",), "test.echo", "cpu", timedelta(seconds=9), RetryPolicy(max_attempts=2)))
    yield
    rulebook._declared.clear()
    rulebook._books.clear()


def test_an_event_and_its_jobs_are_one_transaction() -> None:
    subscribe("receipt")
    subscribe(
        "index", task="test.index", payload={"id": "{{data.order}}", "who": "order {{data.order}} of {{source}}"}, tags=["t"]
    )
    (recorded,) = record(paid(7))
    assert (recorded.duplicate, recorded.matched) == (False, 2)
    assert {job.id for job in jobs()} == set(recorded.jobs)
    made = {job.task: job for job in jobs()}
    assert made["test.echo"].payload == {"order": 7}
    assert made["test.index"].payload == {"id": 7, "who": "order 7 of /shop"}
    assert made["test.index"].meta == {"event": "order.paid", "subscription": "index"}
    assert {job.event_id for job in made.values()} == {recorded.id}


def test_an_event_that_fails_to_make_its_jobs_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    subscribe()
    monkeypatch.setattr(events, "submit_many", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        record(paid())
    assert (count(Event), count(Job)) == (0, 0)


def test_an_event_that_comes_again_makes_nothing_and_is_answered_with_the_first() -> None:
    subscribe()
    (first,) = record(paid())
    (again,) = record(paid(data={"order": "another"}))
    assert again.duplicate and (again.id, again.jobs, again.matched) == (first.id, first.jobs, 1)
    assert (count(Event), count(Job)) == (1, 1)


def test_an_event_twice_in_one_batch_counts_once() -> None:
    subscribe()
    first, other, again = record(paid(1), paid(2), paid(1))
    assert sorted([first.duplicate, again.duplicate]) == [False, True] and first.id == again.id != other.id
    assert (count(Event), count(Job)) == (2, 2)


def test_the_same_id_of_another_source_is_another_event() -> None:
    record(paid(1), paid(1, source="/other-shop"))
    assert count(Event) == 2


def test_a_subscription_is_heard_from_the_next_event_on_and_no_more_once_deleted_or_paused() -> None:
    record(paid(1))
    subscribe()
    record(paid(2))
    with transaction() as session:
        subscriptions.change(session, subscriptions.get(session, "default", "receipt"), paused_at=real_clock.now())
    record(paid(3))
    with transaction() as session:
        subscriptions.change(session, subscriptions.get(session, "default", "receipt"), paused_at=None)
    record(paid(4))
    with transaction() as session:
        subscriptions.remove(session, "default", "receipt")
    record(paid(5))
    assert [job.payload["order"] for job in jobs()] == [2, 4]


def test_what_is_rolled_back_is_not_remembered_as_a_rule() -> None:
    subscribe()

    def change_and_fail() -> None:
        with transaction() as session:
            subscriptions.change(session, subscriptions.get(session, "default", "receipt"), types=["order.refunded"])
            events.record(session, [paid("in between")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_and_fail()
    record(paid(1))
    assert [job.payload["order"] for job in jobs()] == [1]


def test_a_filter_and_a_delay_are_kept(clock: Clock) -> None:
    subscribe(where={"data": {"currency": ["EUR"]}}, delay=HOUR)
    record(paid(1, data={"currency": "USD"}), paid(2, data={"currency": "EUR"}))
    (job,) = jobs()
    assert (job.state, job.run_at) == (State.SCHEDULED, clock.now() + HOUR)


def test_a_subscription_in_code_takes_the_event_s_data(in_code: None) -> None:
    (recorded,) = record(paid(3))
    (job,) = jobs()
    assert (job.task, job.queue, job.payload, job.timeout) == ("test.echo", "cpu", {"order": 3}, timedelta(seconds=9))
    assert job.retry["max_attempts"] == 2 and recorded.jobs == [job.id]


def test_another_tenant_s_rules_hear_nothing() -> None:
    subscribe(tenant="other")
    (recorded,) = record(paid())
    assert recorded.matched == 0


def test_what_cannot_work_is_refused() -> None:
    for wrong in ({"types": ["a..b"]}, {"types": ["a.**.b"]}, {"where": {"data": "x"}}, {"payload": "{{nothing}}"}):
        with pytest.raises(Invalid):
            subscribe(**wrong)
    subscribe()
    with pytest.raises(RuleExists):
        subscribe()
    assert count(Subscription) == 1


def test_dead_events_are_listed_and_can_be_replayed() -> None:
    record(paid(1))
    subscribe()
    record(paid(2))
    with transaction() as session:
        (dead,) = inbox.page(session, "default", Wanted(dead=True), 10)
        assert dead.source_id == "order-1"
        made = events.replay(session, dead)
    assert [job.id for job in jobs() if job.meta.get("replayed")] == made and len(made) == 1


def test_a_replay_goes_to_the_rules_that_are_named() -> None:
    subscribe("receipt")
    subscribe("index", task="test.index")
    (recorded,) = record(paid())
    with transaction() as session:
        events.replay(session, inbox.get(session, "default", recorded.id), ["index"])
    assert sorted(job.task for job in jobs()) == ["test.echo", "test.index", "test.index"]


def test_pages_go_back_in_time_without_gap_or_repeat(clock: Clock) -> None:
    for number in range(7):
        record(paid(number, type="odd" if number % 2 else "even"))
        clock.advance(60)
    seen: list[str] = []
    before = None
    with snapshot() as session:
        while found := inbox.page(session, "default", Wanted(), 3, before):
            seen += [event.source_id for event in found]
            before = found[-1].id
        assert seen == [f"order-{number}" for number in reversed(range(7))]
        odd = inbox.page(session, "default", Wanted(type="odd"), 10)
        assert [event.source_id for event in odd] == ["order-5", "order-3", "order-1"]


def test_old_events_are_forgotten_and_their_jobs_stay() -> None:
    subscribe()
    record(paid(1))
    with transaction() as session:
        assert inbox.forget(session, real_clock.now() - HOUR, 10) == 0
        assert inbox.forget(session, real_clock.now() + HOUR, 10) == 1
    assert (count(Event), count(Job)) == (0, 1)


def test_a_nonce_is_spent_by_one_event() -> None:
    record(paid(1, nonce="n"))
    assert record(paid(1, nonce="n"))[0].duplicate
    with pytest.raises(Forged):
        record(paid(2, nonce="n"))
    assert count(Event) == 1


def test_what_a_provider_says_of_a_send_stands_in_the_job_s_log() -> None:
    with transaction() as session:
        job = submit(session, make.order()).job
    record(
        paid(1, type="sendgrid.delivered", about=job.id), paid(2, type="sendgrid.open", about=job.id), paid(3, about=uuid4())
    )
    with snapshot() as session:
        lines = session.scalars(select(LogLine).order_by(LogLine.id)).all()
        assert {(line.job_id, line.message) for line in lines} == {(job.id, "sendgrid.delivered"), (job.id, "sendgrid.open")}


# What we tell ourselves


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELLED])
def test_the_end_of_a_job_is_an_event(state: State) -> None:
    subscribe(types=["job.*"], payload={"of": "{{data.job_id}}", "task": "{{data.task}}"})
    with transaction() as session:
        job = make.job(session, state)
    assert publish() == 1
    (event,) = [event for event in listed() if event.type == f"job.{state}"]
    assert (event.source, event.subject, event.data["state"]) == (OURS, str(job.id), state)
    assert [made.payload for made in jobs() if made.event_id] == [{"of": str(job.id), "task": "test.echo"}]
    assert (publish(), count(Notice)) == (0, 0)


def test_where_nobody_listens_nothing_is_written() -> None:
    subscribe(types=["order.paid", "**"])
    with transaction() as session:
        make.job(session, State.SUCCEEDED)
    assert count(Notice) == 0


def test_an_end_that_is_not_committed_is_not_told() -> None:
    subscribe(types=["job.succeeded"])
    with transaction() as session:
        running = make.job(session, State.RUNNING)

    def settle_and_fail() -> None:
        with transaction() as session:
            assert attempts.settle(session, make.claim_of(running), make.SUCCESS, real_clock.now())
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        settle_and_fail()
    assert count(Notice) == 0


def test_a_callback_is_delivered_to_the_url_that_the_job_named() -> None:
    with transaction() as session:
        job = make.job(session, State.FAILED, callback="https://example.com/done")
    assert publish() == 1
    (call,) = [made for made in jobs() if made.task == "webhook.deliver"]
    assert call.payload["url"] == "https://example.com/done" and call.payload["type"] == "job.failed"
    assert call.payload["data"]["job_id"] == str(job.id) and call.payload["data"]["reason"] == "rejected"
    assert count(Event) == 0
    with transaction() as session:
        store.cancel(session, call.id, real_clock.now())
    assert count(Notice) == 0  # a delivery's own end is not told


def test_rules_that_set_one_another_off_are_cut_at_a_depth() -> None:
    subscribe(types=["job.cancelled"], payload={})
    with transaction() as session:
        store.cancel(session, make.job(session).id, real_clock.now())
    for _ in range(2 * publication.DEEPEST):
        publish()
        with transaction() as session:
            for job in session.scalars(select(Job).where(Job.state.in_([State.QUEUED, State.SCHEDULED]))):
                store.cancel(session, job.id, real_clock.now())
    assert len(listed()) == publication.DEEPEST + 1
    assert count(Notice) == 0


def test_what_a_job_says_of_itself_is_told_to_who_listens() -> None:
    subscribe(types=["job.log", "job.progress"])
    with transaction() as session:
        job = make.job(session, State.RUNNING)
        running = Running(make.taken(job), 0)
        running.write_line("info", "half done")
        running.write_progress(1, 2, "half")
        write_record(session, running)
        write_record(session, running)  # nothing new
    publish()
    told = {event.type: event.data for event in listed()}
    assert [line["message"] for line in told["job.log"]["lines"]] == ["half done"]
    assert told["job.progress"]["progress"]["done"] == 1 and told["job.progress"]["job_id"] == str(job.id)
    assert len(listed()) == 2


def test_a_schedule_s_due_time_is_an_event(clock: Clock) -> None:
    subscribe(types=["schedule.*"], payload="{{data.job_id}}")
    with transaction() as session:
        schedule = make.schedule(session).id
    clock.advance(60)
    with transaction() as session:
        assert schedules.tick(session, schedule, clock.now()) == 1
    publish()
    (event,) = listed()
    assert (event.type, event.subject, event.data["at"]) == ("schedule.fired", "nightly", clock.now().isoformat())
    assert event.data["job_id"] in {str(job.id) for job in jobs()}


def test_an_open_circuit_is_an_event_and_so_is_its_end() -> None:
    subscribe(types=["circuit.*"])
    with transaction() as session:
        assert holds.open_circuit(session, "stripe-eu", "10 calls failed", None, HOUR, HOUR)
        assert not holds.open_circuit(session, "stripe-eu", "11 calls failed", None, HOUR, HOUR)
    with transaction() as session:
        assert holds.lift(session, "stripe-eu")
    publish()
    assert [(event.type, event.subject) for event in listed()][::-1] == [
        ("circuit.opened", "stripe-eu"),
        ("circuit.closed", "stripe-eu"),
    ]


def test_two_publishers_tell_each_thing_once() -> None:
    subscribe(types=["job.succeeded"])
    with transaction() as session:
        make.job(session, State.SUCCEEDED)
        kept = session.scalars(select(Notice)).one()
        session.expunge(kept)
    publish()
    with transaction() as session:  # as if the first had been killed before its commit reached it
        make.job(session, State.SUCCEEDED)
        session.flush()
        session.execute(update(Notice).values(id=kept.id))
    publish()
    assert len(listed()) == 1


def listed() -> list[Event]:
    with snapshot() as session:
        return list(inbox.page(session, "default", Wanted(), 100))


def test_a_job_of_an_event_is_of_the_account_that_it_will_call() -> None:
    load()
    refund = {"task": "stripe.refund.create", "payload": {"account": "stripe-eu", "payment_intent": "{{data.order}}"}}
    subscribe(**refund)
    record(paid("pi_1"), paid("no payment"))
    assert [job.account for job in jobs()] == ["stripe-eu", None]
