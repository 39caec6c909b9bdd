"""The stream of all that happens: filtered, taken up again anywhere, nothing lost, and nobody held up by the slow."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from api.watchers import CHUNKS, Listener
from jobs import attempts, journal, keys
from jobs.journal import Place
from jobs.model import Audience, Entry
from jobs.outcome import Failed
from jobs.states import Reason, State
from runtime import clock as real_clock
from runtime.database import snapshot, transaction
from tests import make
from tests.clock import Clock
from tests.contract.door import Door
from tests.crowd import run

MOVES = ["queued", "running", "succeeded"]


class Event(NamedTuple):
    kind: str
    id: str | None
    data: dict[str, Any]


class Heard:
    """A stream, as it is read: its events, and the last id that it gave."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.last = ""

    def __iter__(self) -> "Heard":
        return self

    def __next__(self) -> Event:
        fields: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.partition(": ")
            if line and name:
                fields[name] = value
            elif not line:
                self.last = fields.get("id", self.last)
                if "data" in fields:
                    return Event(fields["event"], fields.get("id"), json.loads(fields["data"]))
                fields = {}
        raise StopIteration

    def hello(self) -> str:
        """Read up to where the stream says that it has begun."""
        for line in self._lines:
            if line.startswith("id: "):
                self.last = line.removeprefix("id: ")
            if not line:
                break
        return self.last


@contextmanager
def listening(door: Door, last: str | None = None, **query: Any) -> Iterator[Heard]:
    headers = {"last-event-id": last} if last else {}
    with door.new_client("read") as client, client.stream("GET", "/v1/stream", params=query, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        heard = Heard(answer.iter_lines())
        heard.hello()
        yield heard


def moves(events: Iterator[Event], job: dict[str, Any], until: str = "succeeded") -> list[str]:
    """The states that a job moves into, until it has come to one."""
    found = []
    for event in events:
        if event.data["job_id"] == job["id"]:
            found.append(event.data["state"])
        if found and found[-1] == until:
            break
    return found


def test_who_listens_hears_each_move_of_each_job(door: Door, clock: Clock) -> None:
    with listening(door) as heard:
        job = door.post_job(tags=["a"]).json()
        run(job, make.SUCCESS)
        first, *rest = [next(heard) for _ in range(3)]
    assert (first.kind, first.data["was"], first.data["state"]) == ("job", None, "queued")
    assert [event.data["state"] for event in rest] == MOVES[1:]
    assert rest[0].data["attempt"] == 1
    assert (rest[1].data["was"], rest[1].data["outcome"], rest[1].data["tags"]) == ("running", "succeeded", ["a"])
    assert "result" not in rest[1].data


def test_half_a_character_in_an_error_holds_no_stream_up(door: Door, clock: Clock) -> None:
    with listening(door) as heard:
        job = door.post_job().json()
        run(job, Failed(Reason.REJECTED, {"class": "Rejected", "message": "half \ud83d"}))
        last = [next(heard) for _ in range(3)][-1]
    assert last.data["error"]["message"] == "half ?"


def test_nothing_is_lost_or_told_twice_between_two_connections(door: Door, clock: Clock) -> None:
    with listening(door) as heard:
        begun = heard.last
        jobs = [door.post_job().json() for _ in range(3)]
        run(jobs[0], make.SUCCESS)
        one = [next(heard), next(heard)]
    run(jobs[1], make.SUCCESS)
    with listening(door, one[1].id) as heard:
        run(jobs[2], make.SUCCESS)
        two = [next(heard) for _ in range(7)]
    with listening(door, begun) as heard:
        again = [next(heard) for _ in range(9)]
    assert [event.id for event in one + two] == [event.id for event in again]
    assert len({event.id for event in again}) == 9
    for job in jobs:
        assert moves(iter(again), job) == MOVES


@pytest.mark.parametrize("coding", ["deflate", "identity"])
def test_a_stream_is_compressed_for_who_takes_that(door: Door, clock: Clock, coding: str) -> None:
    with listening(door) as heard:
        begun = heard.last
        for _ in range(8):
            door.post_job(tags=["x" * 60])
        told = [next(heard).id for _ in range(8)]
    headers = {"accept-encoding": coding, "last-event-id": begun}
    with door.new_client("read") as client, client.stream("GET", "/v1/stream?for=1s", headers=headers) as answer:
        assert answer.headers.get("content-encoding", "identity") == coding
        assert answer.headers["vary"] == "Accept-Encoding"
        assert [event.id for event in Heard(answer.iter_lines())] == told


def test_a_filter_lets_through_what_it_names(door: Door, clock: Clock) -> None:
    filters: list[dict[str, Any]] = [
        {"queue": "cpu"}, {"task": "webhook.deliver"}, {"tag": "b"}, {"state": "failed"}, {"account": "x"},
    ]  # fmt: skip
    with listening(door) as heard:
        begun = heard.last
        door.post_job(queue="cpu")
        plain = door.post_job(tags=["a", "b"]).json()
        run(plain, make.FAILURE)
        last = [next(heard) for _ in range(4)][-1]
    assert last.data["state"] == "failed"
    counts = []
    for query in filters:
        with listening(door, begun, **query, **{"for": "1s"}) as heard:
            counts.append(len(list(heard)))
    assert counts == [1, 0, 3, 1, 0]


def test_what_tasks_say_is_told_to_those_who_ask(door: Door, clock: Clock) -> None:
    job = door.post_job().json()
    claim = run(job)
    step = {"done": 1, "total": 2, "note": "half"}
    with listening(door, lines=True) as all_of_it, listening(door) as moves_only:
        with transaction() as session:
            its = {"job_id": claim.job_id, "epoch": 1, "at": clock.now()}
            session.execute(sa.insert(journal.LogLine), [
                {**its, "level": "info", "message": "hello"}, {**its, "level": "progress", "message": json.dumps(step)},
            ])  # fmt: skip
        with transaction() as session:
            attempts.settle(session, claim, make.SUCCESS, clock.now())
        line, progress, end = (next(all_of_it) for _ in range(3))
        assert next(moves_only).id == end.id
    assert (line.kind, line.data["message"]) == ("line", "hello")
    assert progress.kind == "progress"
    assert progress.data.items() >= step.items()


def test_another_tenant_hears_nothing_of_this_one(door: Door, clock: Clock) -> None:
    with transaction() as session:
        them = {"authorization": f"Bearer {keys.create(session, 'them', 'write', tenant='them')}"}
    door.keys_made += 1
    with listening(door) as heard:
        door.post_job(headers=them)
        job = door.post_job().json()
        assert next(heard).data["job_id"] == job["id"]


def test_a_silence_moves_the_place_on(door: Door, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.streams.PATIENCE", 0.1)
    with listening(door, state="failed") as heard:
        before = heard.last
        door.post_job()
        while heard.hello() == before:  # a comment, and an id
            pass
        place = heard.last
    with listening(door, place, **{"for": "1s"}) as heard:
        assert list(heard) == []


def test_after_too_long_a_client_is_told_of_the_gap(door: Door, clock: Clock) -> None:
    with listening(door) as heard:
        begun = heard.last
        first = door.post_job().json()
        event = next(heard)
        with transaction() as session:
            session.execute(sa.update(Entry).values(at=clock.now() - timedelta(hours=2)))
        door.post_job()
        next(heard)
        with transaction() as session:
            assert journal.forget(session, clock.now(), timedelta(hours=1)) == 1
    assert event.data["job_id"] == first["id"]
    with listening(door, begun) as heard:
        assert next(heard).kind == "gap"
        assert next(heard).kind == "job"
    with listening(door, event.id) as heard:
        assert next(heard).kind == "job"


def test_a_place_in_another_journal_is_a_gap(door: Door, clock: Clock) -> None:
    with listening(door, "1.0.7") as heard:
        gap = next(heard)
    assert gap.kind == "gap"
    assert gap.id


@pytest.mark.parametrize("last", ["x", "1.2", "1.2.3.4", "-1.0.0"])
def test_an_id_that_we_never_gave_out_is_refused(door: Door, last: str) -> None:
    assert door.ask("GET", "/v1/stream", headers={"last-event-id": last}).status_code == 422


def test_who_comes_20_times_while_jobs_go_on_hears_each_move_once_and_in_order(door: Door, clock: Clock) -> None:
    with listening(door) as heard:
        begun = heard.last
    made: list[str] = []
    go_on = threading.Semaphore(0)

    def work() -> None:
        for _ in range(40):
            go_on.acquire(timeout=60)
            job = door.post_job().json()
            run(job, make.SUCCESS)
            made.append(job["id"])

    worker = threading.Thread(target=work)
    worker.start()
    seen: list[Event] = []
    for visit in range(21):
        go_on.release(2)
        with listening(door, seen[-1].id if seen else begun) as heard:
            seen += islice(heard, 5 if visit < 20 else 20)
    worker.join()
    assert len({event.id for event in seen}) == 120
    states = {job_id: [event.data["state"] for event in seen if event.data["job_id"] == job_id] for job_id in made}
    assert set(map(tuple, states.values())) == {tuple(MOVES)}


def test_the_slow_are_let_go_and_told_to_come_again() -> None:
    async def overflow() -> list[bytes | None]:
        listener = Listener()
        listener.begin(Place(1))
        for number in range(CHUNKS + 1):
            listener.hear(b"%d" % number, Place(1, 0, number))
        return [listener.chunks.get_nowait() for _ in range(listener.chunks.qsize())]

    assert asyncio.run(overflow()) == [None]


# The journal itself


@pytest.mark.usefixtures("ledger")
def test_where_nobody_listens_nothing_is_written(clock: Clock) -> None:
    with transaction() as session:
        make.job(session, State.SUCCEEDED)
        assert session.scalars(sa.select(Entry)).all() == []


@pytest.mark.usefixtures("ledger")
def test_what_commits_late_is_not_skipped(ledger: Engine) -> None:
    if ledger.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer")
    now = real_clock.now()
    with transaction() as session:
        since = journal.listen(session, now + timedelta(hours=1))
    with transaction() as slow:
        early = make.job(slow)
        slow.flush()
        with transaction() as fast:
            late = make.job(fast)
        with snapshot() as session:
            assert journal.head(session, since) == Place(since)
            assert journal.page(session, Place(since), 10) == [], "the slow one would come in behind"
    with snapshot() as session:
        assert [entry.job_id for entry in journal.page(session, Place(since), 10)] == [early.id, late.id]


@pytest.mark.usefixtures("ledger")
def test_who_begins_to_listen_waits_for_those_who_do_not_know_yet(ledger: Engine) -> None:
    with transaction() as session:
        journal.listen(session, real_clock.now())
    with transaction() as slow:
        make.job(slow)
        slow.flush()
        with snapshot() as session:
            begun = journal.begun(session)
            assert (journal.settled(session) >= begun) == (ledger.dialect.name == "sqlite")
    with snapshot() as session:
        assert journal.settled(session) >= begun


@pytest.mark.usefixtures("ledger")
def test_a_journal_that_nobody_reads_any_more_is_forgotten_and_another_one_is_another(clock: Clock) -> None:
    with transaction() as session:
        since = journal.listen(session, clock.now() + timedelta(hours=1))
        make.job(session)
    clock.advance(timedelta(hours=1, seconds=1))
    with transaction() as session:
        assert journal.forget(session, clock.now(), timedelta(hours=1)) == 1
        assert session.get(Audience, 1) is None
        make.job(session)
        assert session.scalars(sa.select(Entry)).all() == []
    with transaction() as session:
        assert journal.listen(session, clock.now() + timedelta(hours=1)) > since
        assert journal.resume(session, Place(since, 0, 1))[1]
