"""Looking for jobs: each criterion alone and with others, in pages of bounded work, each on an index."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from jobs import search
from jobs.model import Job
from jobs.search import Filter
from jobs.states import State
from runtime.database import snapshot, transaction
from tests import make, plans
from tests.clock import Clock

SCHEDULE = uuid4()
NOON = datetime.fromisoformat("2026-01-15T12:00:00Z")
CRITERIA: dict[str, tuple[dict[str, Any], Callable[[Job], bool]]] = {
    "state": ({"state": State.FAILED}, lambda job: job.state is State.FAILED),
    "done": ({"state": State.SUCCEEDED}, lambda job: job.state is State.SUCCEEDED),
    "task": ({"task": "mail.send"}, lambda job: job.task == "mail.send"),
    "queue": ({"queue": "cpu"}, lambda job: job.queue == "cpu"),
    "schedule": ({"schedule_id": SCHEDULE}, lambda job: job.schedule_id == SCHEDULE),
    "tag": ({"tags": ("a",)}, lambda job: "a" in job.tags),
    "tags": ({"tags": ("a", "b")}, lambda job: {"a", "b"} <= set(job.tags)),
    "metadata": ({"metadata": (("k", "1"),)}, lambda job: job.meta.get("k") == "1"),
    "account": ({"account": "stripe-eu"}, lambda job: job.account == "stripe-eu"),
    "error": ({"error_class": "Rejected"}, lambda job: job.error_class == "Rejected"),
    "after": ({"created_after": NOON + timedelta(seconds=20)}, lambda job: job.created_at >= NOON + timedelta(seconds=20)),
    "before": ({"created_before": NOON + timedelta(seconds=40)}, lambda job: job.created_at < NOON + timedelta(seconds=40)),
    "text": ({"text": "ÜBER 7_"}, lambda job: "ÜBER 7_" in str(job.payload)),
}


def some_jobs(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Forty jobs, accepted a second apart, of all sorts."""
    made: list[Job] = []
    monkeypatch.setattr("jobs.submit.uuid7", lambda: UUID(int=(int(clock.now().timestamp() * 1000) << 80) | len(made)))
    for number in range(60):
        with transaction() as session:
            job = make.job(
                session,
                (State.FAILED, State.SUCCEEDED, State.SCHEDULED)[number % 3],
                task="mail.send" if number % 2 else "test.echo",
                queue="cpu" if number % 5 == 0 else "default",
                schedule_id=SCHEDULE if number % 7 == 0 else None,
                tags=["a", "b"] if number % 4 == 0 else ["a"] if number % 4 == 1 else [],
                metadata={"k": str(number % 2)},
                account="stripe-eu" if number % 6 == 0 else None,
                payload={"text": f"ÜBER {number // 8}_"},
            )
        made.append(job)
        clock.advance(1)
    with snapshot() as session:
        return [found for job in reversed(made) if (found := session.get(Job, job.id))]


def walk(wanted: Filter, limit: int) -> tuple[list[UUID], int]:
    """All jobs of all pages, and how many pages there were."""
    found: list[UUID] = []
    cursor, pages = None, 0
    while pages == 0 or cursor:
        with snapshot() as session:
            page = search.page(session, "default", wanted, limit, cursor)
        assert len(page.jobs) <= limit
        found += [job.id for job in page.jobs]
        cursor, pages = page.next_cursor, pages + 1
    return found, pages


@pytest.mark.usefixtures("ledger")
def test_each_criterion_alone_and_with_each_other_finds_just_its_jobs(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = some_jobs(clock, monkeypatch)
    monkeypatch.setattr(search, "SCAN", 23)
    pairs = [pair for pair in combinations(CRITERIA, 2) if set(pair) not in ({"state", "done"}, {"tag", "tags"})]
    for names in [*combinations(CRITERIA, 1), *pairs]:
        criteria: dict[str, Any] = {}
        for name in names:
            criteria |= CRITERIA[name][0]
        meant = [job.id for job in jobs if all(CRITERIA[name][1](job) for name in names)]
        assert walk(Filter(**criteria), 10)[0] == meant, names
        with snapshot() as session:
            assert search.count(session, "default", Filter(**criteria)) == search.Count(len(meant), exact=True), names


@pytest.mark.usefixtures("ledger")
def test_a_page_looks_at_a_bounded_number_of_jobs_and_says_where_to_go_on(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = some_jobs(clock, monkeypatch)
    monkeypatch.setattr(search, "SCAN", 5)
    last = jobs[-1]
    found, pages = walk(Filter(text="Über 0_", task=last.task), 50)
    assert found == [job.id for job in jobs if job.payload["text"] == "ÜBER 0_" and job.task == last.task]
    assert pages == 7, "thirty jobs of that task, five a page, and one more look that finds nothing"


@pytest.mark.usefixtures("ledger")
def test_a_count_stops_counting(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    some_jobs(clock, monkeypatch)
    monkeypatch.setattr(search, "COUNTED", 10)
    with snapshot() as session:
        assert search.count(session, "default", Filter()) == search.Count(10, exact=False)
        assert search.count(session, "default", Filter(queue="cpu", text="Über 0")) == search.Count(1, exact=False)
        assert search.count(session, "default", Filter(schedule_id=SCHEDULE)) == search.Count(9, exact=True)


@pytest.mark.usefixtures("ledger")
def test_names_and_values_of_metadata_are_not_confused() -> None:
    with transaction() as session:
        one = make.job(session, metadata={"a=b": "c"}).id
        make.job(session, metadata={"a": "b=c"})
        make.job(session, tags=["a=b=c"])
    assert walk(Filter(metadata=(("a=b", "c"),)), 9)[0] == [one]


@pytest.mark.usefixtures("ledger")
def test_a_text_is_searched_as_it_is_written() -> None:
    with transaction() as session:
        one = make.job(session, payload={"a": '50% "off"_\\'}).id
        make.job(session, payload={"a": "50x offx"})
    for text in ('50% "', "%", '"off"_', "_\\"):
        assert walk(Filter(text=text), 9)[0] == [one], text


@pytest.mark.usefixtures("ledger")
def test_lists_leave_payloads_in_the_ledger() -> None:
    with transaction() as session:
        make.job(session)
    with snapshot() as session:
        for wanted in (Filter(), Filter(task="test.echo", queue="default")):
            (job,) = search.page(session, "default", wanted, 5).jobs
            assert "payload" not in vars(job)
            (job,) = search.page(session, "default", wanted, 5, payloads=True).jobs
            assert job.payload == {"number": 1}
            session.expunge_all()


def test_every_search_runs_on_an_index_and_sorts_nothing(
    ledger: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_jobs(clock, monkeypatch)
    for names in [(), *combinations(CRITERIA, 1), *combinations(CRITERIA, 2)]:
        criteria: dict[str, Any] = {}
        for name in names:
            criteria |= CRITERIA[name][0]
        with plans.watched(ledger) as sent, snapshot() as session:
            page = search.page(session, "default", Filter(**criteria), 2)
            if page.next_cursor:
                search.page(session, "default", Filter(**criteria), 2, page.next_cursor)
            search.count(session, "default", Filter(**criteria))
        for each in (each for each in sent if each.statement.startswith("SELECT")):
            assert plans.scanned(ledger, each) == set(), f"{names}: {each.statement}"
