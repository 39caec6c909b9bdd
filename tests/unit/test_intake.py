"""Hints that one turn of Celery's loop brings are claimed together, and each slot is free again whatever comes of it."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery.worker import state

from jobs.claims import Claimed, Taken
from runtime.database import EPOCH
from runtime.prepared import Returned
from workers import claims, hints, writes
from workers.execute import Ended
from workers.hints import Intake
from workers.member import Member


class Pool:
    """A pool that runs nothing, but says what it was asked to."""

    limit = 4

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.is_open = True
        self.late: list[Any] = []

    def withdraw(self, _: float) -> list[Any]:
        return self.late

    def run(self, _: Callable[..., object], *given: Any) -> bool:
        self.asked.append(given)
        return self.is_open

    def wake(self) -> None: ...


class Consumer:
    """As much of Celery's as a hint meets."""

    hostname = "worker@here"

    def __init__(self) -> None:
        self.pool, self.strategies = Pool(), {"test.echo": object()}
        self.turn: list[Callable[[], object]] = []
        self.timers: list[Callable[[], object]] = []
        self.hub = SimpleNamespace(call_soon=self.turn.append, call_later=lambda _, do: self.timers.append(do))
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.event_dispatcher = SimpleNamespace(send=lambda kind, **fields: self.said.append((kind, fields)))

    def end_turn(self) -> None:
        while self.turn:
            self.turn.pop()()


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    yield Consumer()
    state.reset_state()


@pytest.fixture
def member(monkeypatch: pytest.MonkeyPatch) -> Member:
    """This process's, whose lease holds."""
    made = Member("threads", ["default"], 4, id=uuid4(), always_trusted=True)
    monkeypatch.setattr(hints, "present", lambda: made)
    return made


def answer(monkeypatch: pytest.MonkeyPatch, outcome: "list[Taken] | Exception") -> list[list[UUID]]:
    """Have every claim end so. Returns what was claimed, a list for each time."""
    asked: list[list[UUID]] = []

    def send(_: object, item: tuple[UUID, list[UUID]], then: Callable[[object], object], **__: object) -> None:
        asked.append(item[1])
        then(outcome if isinstance(outcome, Exception) else claimed(*outcome))

    monkeypatch.setattr(writes, "send", send)
    return asked


def claimed(*jobs: Taken) -> Claimed:
    found = Claimed(uuid4(), EPOCH, Returned([], None))  # type: ignore[arg-type]
    found.jobs = {job.id: job for job in jobs}
    return found


def job(job_id: UUID) -> Taken:
    return Taken(**dict.fromkeys(Taken._fields) | {"id": job_id, "epoch": 1, "worker": uuid4()})  # type: ignore[arg-type]


def test_the_hints_of_a_turn_are_claimed_together(
    consumer: Consumer, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = uuid4(), uuid4()
    asked = answer(monkeypatch, [job(first)])
    intake, turns = Intake(consumer), list[None]()
    intake.on_turn = lambda: turns.append(None)
    for job_id in (first, second):
        assert intake.take(job_id, "test.echo", "default")
    assert intake.slots.free() == 2, "their slots are taken from the moment they are read"
    consumer.end_turn()
    assert (asked, len(turns)) == ([[first, second]], 1)
    assert [(hint.job_id, taken.id) for hint, taken, _ in consumer.pool.asked] == [(first, first)]
    assert intake.slots.free() == 3, "a stale one's slot is free"
    assert (member.roll.has_in_hand(first), member.roll.has_in_hand(second)) == (True, False)


def test_a_claim_that_fails_leaves_every_slot_free(
    consumer: Consumer, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, RuntimeError("a bug"))
    intake, job_id = Intake(consumer), uuid4()
    intake.take(job_id, "test.echo", "default")
    consumer.end_turn()
    assert (intake.slots.free(), consumer.pool.asked) == (4, [])
    assert (member.roll.has_in_hand(job_id), member.doubts) == (False, {job_id}), (
        "if it was claimed, a heartbeat gives it back"
    )


def test_what_a_closed_pool_does_not_take_goes_back(
    consumer: Consumer, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, back = uuid4(), list[UUID]()
    answer(monkeypatch, [job(job_id)])
    monkeypatch.setattr(claims, "put_back", lambda taken, _: back.extend(job.id for job in taken))
    consumer.pool.is_open = False
    intake = Intake(consumer)
    intake.take(job_id, "test.echo", "default")
    consumer.end_turn()
    assert back == [job_id]


def test_a_job_that_gets_no_thread_is_taken_back_and_its_slot_is_free(
    consumer: Consumer, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = uuid4()
    answer(monkeypatch, [job(job_id)])
    intake = Intake(consumer)
    intake.take(job_id, "test.echo", "default")
    consumer.end_turn()
    consumer.pool.late = [(hints._perform, consumer.pool.asked[0])]
    assert [taken.id for taken in intake.withdraw(1)] == [job_id]
    assert intake.slots.free() == 4


@pytest.mark.parametrize("ill", ["draining", "its lease does not hold"])
def test_a_worker_that_may_not_go_on_begins_no_job_that_it_has_claimed(
    consumer: Consumer, member: Member, monkeypatch: pytest.MonkeyPatch, ill: str
) -> None:
    job_id, back = uuid4(), list[UUID]()
    answer(monkeypatch, [job(job_id)])
    monkeypatch.setattr(claims, "put_back", lambda taken, _: back.extend(job.id for job in taken))
    monkeypatch.setattr(hints, "perform", lambda *_: pytest.fail("it was begun"))
    intake = Intake(consumer)
    intake.take(job_id, "test.echo", "default")
    consumer.end_turn()
    if ill == "draining":
        member.draining.set()
    else:
        member.always_trusted = False
    hints._perform(*consumer.pool.asked[0])
    assert (back, intake.slots.free()) == ([job_id], 4)


def test_a_task_that_is_unknown_here_is_celery_s_to_report(consumer: Consumer) -> None:
    intake = Intake(consumer)
    assert not intake.take(uuid4(), "no.such", "default")
    assert intake.slots.free() == 4


def test_without_a_lease_each_hint_waits_in_a_thread(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "present", lambda: None)
    intake = Intake(consumer)
    intake.take(uuid4(), "test.echo", "default")
    consumer.end_turn()
    assert len(consumer.pool.asked) == 1


def test_flower_is_told_how_an_attempt_ended(consumer: Consumer) -> None:
    job_id = uuid4()
    hint = hints.Hint(job_id, "test.echo", {}, Intake(consumer), lambda: None)
    hint.begin()
    assert hint.info()["id"] == str(job_id)
    assert [request.id for request in state.active_requests] == [str(job_id)]
    hint.leave()
    hint.end(Ended("retried", "the other side is away"))
    assert [kind for kind, _ in consumer.said] == ["task-received", "task-started", "task-retried"]
    assert consumer.said[-1][1]["exception"] == "the other side is away"
    assert len(state.active_requests) == 0
