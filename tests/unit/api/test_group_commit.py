"""Writes that wait together are committed together, and none pays for another's mistake."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from queue import SimpleQueue
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event, func, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from jobs.model import Attempt, Queue
from runtime import clock, group_commit, sqlite
from runtime.afterwards import after_commit, after_rollback
from runtime.calls import Call, alone
from runtime.database import Seat, must_last, snapshot
from runtime.group_commit import MOST, GroupCommit

pytestmark = pytest.mark.usefixtures("engine")


class Refusal(Exception):
    """What a call raises."""


@pytest.fixture
def group() -> Iterator[GroupCommit]:
    """One writer."""
    made = GroupCommit(1)
    yield made
    made.close()


@pytest.fixture
def commits(engine: Engine) -> list[int]:
    """One item a commit."""
    counted: list[int] = []
    event.listen(engine, "commit", lambda _: counted.append(1))
    return counted


def adding(name: str) -> Callable[[Session], str]:
    """A change that stores a queue."""

    def add(session: Session) -> str:
        session.add(Queue(name=name))
        session.flush()
        return name

    return add


def together(group: GroupCommit, *changes: Callable[[Session], Any]) -> list[Call]:
    """Queue the changes while the writer is busy, so that it takes all of them at once."""
    busy, go = threading.Event(), threading.Event()

    def hold(_: Session) -> None:
        busy.set()
        assert go.wait(10)

    held = group.put(hold)
    assert busy.wait(10)
    calls = [group.put(change) for change in changes]
    go.set()
    held.answer.result(10)
    return calls


def stored() -> set[str]:
    with snapshot() as session:
        return set(session.scalars(select(Queue.name)))


def test_an_answer_comes_after_the_commit(group: GroupCommit) -> None:
    assert group.put(adding("a")).answer.result(10) == "a"
    assert stored() == {"a"}


def test_what_waits_together_shares_a_commit(group: GroupCommit, commits: list[int]) -> None:
    calls = together(group, adding("a"), adding("b"), adding("c"))
    assert [call.answer.result(10) for call in calls] == ["a", "b", "c"]
    assert len(commits) == 2, "of the one who was first, and theirs"


def test_a_call_that_raises_is_undone_alone(group: GroupCommit, commits: list[int]) -> None:
    def spoil(session: Session) -> None:
        adding("spoilt")(session)
        raise Refusal("no")

    before, bad, after = together(group, adding("before"), spoil, adding("after"))
    assert before.answer.result(10) == "before"
    assert after.answer.result(10) == "after"
    with pytest.raises(Refusal, match="no"):
        bad.answer.result(10)
    assert len(commits) == 2, "of the one who was first, and theirs"
    assert stored() == {"before", "after"}


def test_a_call_that_the_database_refuses_is_undone_alone(group: GroupCommit) -> None:
    def twice(session: Session) -> None:
        session.add(Queue(name="a"))  # refused when the savepoint ends, not before

    first, second, third = together(group, adding("a"), twice, adding("b"))
    assert (first.answer.result(10), third.answer.result(10)) == ("a", "b")
    with pytest.raises(IntegrityError):
        second.answer.result(10)
    assert stored() == {"a", "b"}


def test_a_call_given_up_before_its_turn_never_runs(group: GroupCommit) -> None:
    ran: list[str] = []
    busy, go = threading.Event(), threading.Event()
    held = group.put(lambda _: (busy.set(), go.wait(10)))
    assert busy.wait(10)
    late, other = group.put(lambda _: ran.append("late")), group.put(adding("other"))
    late.given_up = True
    go.set()
    held.answer.result(10)
    assert other.answer.result(10) == "other"
    assert ran == []


def test_a_call_given_up_while_its_transaction_is_open_is_undone_while_others_stand(group: GroupCommit) -> None:
    mine: list[Call] = []
    runs: list[str] = []

    def give_up(session: Session) -> None:
        runs.append("given up")
        adding("given up")(session)
        mine[0].given_up = True

    def other(session: Session) -> str:
        runs.append("other")
        return adding("other")(session)

    class Late:
        """Finds its own call only once it is queued."""

        def __call__(self, session: Session) -> None:
            mine.append(next(call for call in calls if call.item is self))
            give_up(session)

    calls: list[Call] = []
    busy, go = threading.Event(), threading.Event()
    group.put(lambda _: (busy.set(), go.wait(10)))
    assert busy.wait(10)
    calls += [group.put(adding("before")), group.put(Late()), group.put(other)]
    go.set()
    assert calls[0].answer.result(10) == "before"
    assert calls[2].answer.result(10) == "other"
    assert stored() == {"before", "other"}
    assert runs == ["given up", "other", "other"], "the others are done again, without it"
    assert not calls[1].answer.done()


def test_when_the_commit_fails_all_are_told_and_the_next_is_served(group: GroupCommit) -> None:
    def orphan(session: Session) -> None:
        session.connection().exec_driver_sql("PRAGMA defer_foreign_keys = ON")  # noticed at the commit, by nobody before
        at = clock.now()
        session.add(Attempt(job_id=uuid4(), epoch=1, number=1, worker=uuid4(), started_at=at))

    for call in together(group, adding("a"), orphan, adding("b")):
        with pytest.raises(IntegrityError):
            call.answer.result(10)
    assert stored() == set()
    assert group.put(adding("c")).answer.result(10) == "c"
    assert stored() == {"c"}


def test_when_the_database_goes_away_all_are_told(group: GroupCommit) -> None:
    def away(_: Session) -> None:
        raise OperationalError("COMMIT", {}, Exception("database is locked"))

    for call in together(group, adding("a"), away, adding("b")):
        with pytest.raises(OperationalError):
            call.answer.result(10)
    assert stored() == set()


def test_what_was_to_follow_the_commit_of_an_undone_call_is_dropped(group: GroupCommit) -> None:
    followed: list[str] = []

    def follow(name: str, *, fail: bool = False) -> Callable[[Session], None]:
        def change(session: Session) -> None:
            after_commit(session, lambda: followed.append(name))
            if fail:
                raise Refusal

        return change

    calls = together(group, follow("a"), follow("b", fail=True), follow("c"))
    calls[2].answer.result(10)
    assert followed == ["a", "c"]


def test_what_was_to_follow_a_rollback_follows_each(group: GroupCommit) -> None:
    followed: list[str] = []

    def follow(name: str, *, fail: bool = False) -> Callable[[Session], None]:
        def change(session: Session) -> None:
            after_rollback(session, lambda: followed.append(name))
            if fail:
                raise Refusal

        return change

    calls = together(group, follow("a"), follow("b", fail=True), follow("c"))
    calls[2].answer.result(10)
    assert followed == ["a", "b", "b"], "once all that was begun together, then the refused one alone"


def test_what_follows_the_commit_follows_once_although_the_call_ran_twice(group: GroupCommit) -> None:
    followed: list[str] = []
    calls: list[Call] = []

    def spoil(_: Session) -> None:
        calls[0].given_up = True

    busy, go = threading.Event(), threading.Event()
    group.put(lambda _: (busy.set(), go.wait(10)))
    assert busy.wait(10)
    calls.append(group.put(spoil))
    calls.append(group.put(lambda session: after_commit(session, lambda: followed.append("once"))))
    go.set()
    calls[1].answer.result(10)
    assert followed == ["once"]


def test_no_call_sees_the_objects_of_another(group: GroupCommit) -> None:
    sizes: list[int] = []
    kept: list[Queue] = []  # a session forgets by itself what nobody holds

    def look(session: Session) -> None:
        sizes.append(len(list(session.identity_map)) + len(session.new))
        kept.append(Queue(name=f"q{len(sizes)}"))
        session.add(kept[-1])

    for call in together(group, look, look, look):
        call.answer.result(10)
    assert sizes == [0, 0, 0]


def test_a_caller_that_cancelled_harms_nobody(group: GroupCommit) -> None:
    busy, go = threading.Event(), threading.Event()
    held = group.put(lambda _: (busy.set(), go.wait(10)))
    assert busy.wait(10)
    assert not held.answer.cancel(), "its transaction is open"
    cancelled, other = group.put(adding("cancelled")), group.put(adding("other"))
    assert cancelled.answer.cancel()
    go.set()
    assert other.answer.result(10) == "other"
    assert group.put(adding("next")).answer.result(10) == "next"
    assert stored() == {"other", "next"}


def test_200_at_once_share_few_commits(group: GroupCommit, commits: list[int]) -> None:
    with ThreadPoolExecutor(200) as pool:
        ready = threading.Barrier(200)

        def one(number: int) -> str:
            ready.wait(20)
            answer: str = group.put(adding(f"q{number}")).answer.result(20)
            return answer

        names = set(pool.map(one, range(200)))
    assert stored() == names == {f"q{number}" for number in range(200)}
    assert len(commits) <= 100, f"200 writes took {len(commits)} commits"


def test_no_transaction_grows_without_bound(group: GroupCommit, commits: list[int]) -> None:
    def count(session: Session) -> int:
        return session.scalar(select(func.count()).select_from(Queue)) or 0

    calls = together(group, *[adding(f"q{number}") for number in range(MOST * 2)], count)
    assert calls[-1].answer.result(20) == MOST * 2
    assert len(commits) == 4, "of the one who was first, two full ones and the rest"


def test_rows_are_locked_in_one_order(group: GroupCommit) -> None:
    order: list[str] = []
    busy, go = threading.Event(), threading.Event()
    group.put(lambda _: (busy.set(), go.wait(10)))
    assert busy.wait(10)
    calls = [group.put(lambda _, row=row: order.append(row), row) for row in ("key b", "job 2", "", "key a", "job 1")]
    go.set()
    for call in calls:
        call.answer.result(10)
    assert order == ["", "job 1", "job 2", "key a", "key b"]


def test_closing_finishes_what_waits() -> None:
    group = GroupCommit(2)
    calls = [group.put(adding(f"q{number}")) for number in range(50)]
    group.close()
    assert {call.answer.result(20) for call in calls} == stored()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the disk was waited for, as one item each."""
    counted: list[int] = []
    monkeypatch.setattr(sqlite, "outlast", lambda _: counted.append(1))
    return counted


def told(group: GroupCommit, *wanted: tuple[Callable[[Session], Any], bool]) -> list[Any]:
    """The answers to changes, each of which is to last or not, in one transaction."""
    answers: dict[int, Any] = {}
    done = threading.Semaphore(0)

    def hear(number: int, answer: Any) -> None:
        answers[number] = answer
        done.release()

    busy, go = threading.Event(), threading.Event()
    first = group.put(lambda _: (busy.set(), go.wait(10)))
    assert busy.wait(10)
    for number, (change, lasting) in enumerate(wanted):
        group.queue(Call(alone, change, partial(hear, number), lasting=lasting))
    go.set()
    assert all(done.acquire(timeout=10) for _ in wanted)
    first.answer.result(10)
    return [answers[number] for number in range(len(wanted))]


def nothing(_: Session) -> None:
    """A change that needs no change."""


def test_a_transaction_waits_for_the_disk_if_any_call_must_last(group: GroupCommit, waits: list[int]) -> None:
    for lasting, expected in (((False, False), 0), ((False, True), 1), ((False,), 0)):
        waits.clear()
        told(group, *((nothing, each) for each in lasting))
        assert sum(waits) == expected + 1, "the first holds the writer, and lasts"


def test_a_call_can_find_out_that_it_must_last(group: GroupCommit, waits: list[int]) -> None:
    told(group, (must_last, False), (nothing, False))
    assert sum(waits) == 1 + 1


def test_an_answer_comes_when_the_disk_has_it_and_what_follows_the_commit_before(
    group: GroupCommit, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(sqlite, "outlast", lambda _: order.append("disk"))
    done = threading.Event()

    def change(session: Session) -> None:
        after_commit(session, lambda: order.append("hint"))

    group.queue(Call(alone, change, lambda _: (order.append("answer"), done.set())))
    assert done.wait(10)
    assert order == ["hint", "disk", "answer"]


def test_while_the_disk_works_the_next_is_committed_and_all_that_was_shares_the_next_wait(
    group: GroupCommit, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited, working, go = list[int](), threading.Event(), threading.Event()
    committed = threading.Semaphore(0)

    def work(_: object) -> None:
        waited.append(1)
        working.set()
        assert go.wait(10)

    def change(session: Session) -> None:
        after_commit(session, committed.release)

    monkeypatch.setattr(sqlite, "outlast", work)
    held, release = threading.Event(), threading.Event()
    first = group.put(lambda session: (change(session), held.set(), release.wait(10)))
    assert held.wait(10)
    others = [group.put(change)]  # so that the writer is not alone with the first, and leaves the disk to its thread
    release.set()
    assert committed.acquire(timeout=10)
    assert working.wait(10)
    assert committed.acquire(timeout=10), "the second was committed meanwhile"
    assert not any(call.answer.done() for call in (first, *others))
    go.set()
    for call in (first, *others):
        call.answer.result(10)
    assert len(waited) == 2


@pytest.mark.parametrize("is_alone", [True, False], ids=["alone", "while others wait"])
@pytest.mark.parametrize("insists", [True, False], ids=["insists", "asks"])
def test_a_disk_that_fails_after_the_commit_is_told_and_what_insists_is_done_again(
    group: GroupCommit, monkeypatch: pytest.MonkeyPatch, *, insists: bool, is_alone: bool
) -> None:
    waiter = "ledger-write" if is_alone else "ledger-disk"
    failures, done = [OperationalError("fdatasync", None, OSError(5, "Input/output error"))], list[str]()
    held, release = threading.Event(), threading.Event()

    def work(_: object) -> None:
        if failures and threading.current_thread().name.startswith(waiter):
            raise failures.pop()

    def change(_: Session, items: list[str]) -> list[None]:
        held.set()
        assert release.wait(10)
        return [done.append(item) for item in items]

    monkeypatch.setattr(sqlite, "outlast", work)
    call = group.join(change, "it", insists=insists)
    assert held.wait(10)
    others = [] if is_alone else [group.put(nothing)]
    release.set()
    if insists:
        call.answer.result(10)
    else:
        with pytest.raises(OperationalError):
            call.answer.result(10)
    for other in others:
        other.answer.exception(10)  # it may have shared the wait
    assert done == ["it"] * (1 + insists)


def test_what_a_callers_ear_raises_harms_nobody(group: GroupCommit) -> None:
    def deaf(_: Any) -> None:
        raise Refusal

    group.queue(Call(alone, adding("unheard"), deaf))
    assert group.put(adding("next")).answer.result(10) == "next"
    assert stored() == {"unheard", "next"}


def test_a_thread_keeps_its_connection_until_something_fails(engine: Engine) -> None:
    given: list[int] = []
    event.listen(engine, "checkout", lambda *_: given.append(1))
    with closing(Seat()) as seat:
        for name in ("a", "b"):
            with seat.transaction() as session:
                session.add(Queue(name=name))
        assert len(given) == 1
        with pytest.raises(IntegrityError), seat.transaction() as session:
            session.add(Queue(name="a"))
        with seat.transaction() as session:
            session.add(Queue(name="c"))
        assert len(given) == 2
    assert stored() == {"a", "b", "c"}


def test_a_kept_connection_waits_for_the_disk_only_when_it_must(waits: list[int]) -> None:
    with closing(Seat()) as seat:
        for lasting, expected in ((True, 1), (False, 1), (True, 2)):
            with seat.transaction(lasting=lasting):
                pass
            assert sum(waits) == expected


def test_what_nobody_waits_for_shares_the_next_commit_if_one_has_just_been(
    group: GroupCommit, commits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "GATHER", 60)
    heard: SimpleQueue[str] = SimpleQueue()
    group.queue(Call(alone, adding("first"), heard.put, patient=True))
    assert heard.get(timeout=20) == "first", "no commit was before it"
    group.queue(Call(alone, adding("second"), heard.put, patient=True))
    assert (group.put(adding("third")).answer.result(20), heard.get(timeout=20)) == ("third", "second")
    assert len(commits) == 2


def test_it_does_not_wait_for_long(group: GroupCommit, commits: list[int]) -> None:
    heard: SimpleQueue[str] = SimpleQueue()
    for name in ("first", "second"):
        group.queue(Call(alone, adding(name), heard.put, patient=True))
        assert heard.get(timeout=20) == name
    assert len(commits) == 2
