"""Lists of jobs: pages that neither repeat nor miss a job, whatever happens between two of them."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from jobs import queries, search, store
from jobs.errors import Invalid
from jobs.model import Job, LogLine
from jobs.search import Filter
from jobs.states import State
from runtime.database import snapshot, transaction
from tests import make
from tests.clock import Clock

pytestmark = pytest.mark.usefixtures("ledger")


def made(count: int, state: State = State.SCHEDULED, **changes: object) -> list[UUID]:
    with transaction() as session:
        return [make.job(session, state, **changes).id for _ in range(count)]


def pages(wanted: Filter, limit: int, tenant: str = "default") -> Iterator[list[Job]]:
    cursor: str | None = None
    while True:
        with snapshot() as session:
            page = search.page(session, tenant, wanted, limit, cursor)
        yield list(page.jobs)
        cursor = page.next_cursor
        if cursor is None:
            return


def ids(wanted: Filter, limit: int, tenant: str = "default") -> list[UUID]:
    return [job.id for page in pages(wanted, limit, tenant) for job in page]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 100])
def test_all_pages_together_are_all_jobs_newest_first(limit: int) -> None:
    jobs = made(7)
    assert ids(Filter(), limit) == jobs[::-1]


def test_no_page_is_empty_but_that_of_an_empty_list() -> None:
    assert list(pages(Filter(), 2)) == [[]]
    made(4)
    assert [len(page) for page in pages(Filter(), 2)] == [2, 2]


def test_each_filter_shows_its_jobs_and_no_others() -> None:
    schedule = uuid4()
    made(2)
    (mail,) = made(1, task="mail.send")
    (cpu,) = made(1, queue="cpu")
    (done,) = made(1, State.SUCCEEDED)
    (ticked,) = made(1, schedule_id=schedule)
    (other,) = made(1, tenant="other")
    assert ids(Filter(task="mail.send"), 10) == [mail]
    assert ids(Filter(queue="cpu"), 10) == [cpu]
    assert ids(Filter(state=State.SUCCEEDED), 10) == [done]
    assert ids(Filter(schedule_id=schedule), 10) == [ticked]
    assert ids(Filter(task="mail.send", queue="cpu"), 10) == []
    assert ids(Filter(), 10, "other") == [other]
    assert len(ids(Filter(), 10)) == 6


def test_new_jobs_between_pages_repeat_and_hide_nothing() -> None:
    jobs = made(9)
    seen = []
    for page in pages(Filter(), 2):
        seen += [job.id for job in page]
        made(3)
    assert seen == jobs[::-1]


def test_jobs_that_move_or_go_between_pages_repeat_and_hide_no_others(clock: Clock) -> None:
    jobs = made(8)
    seen = []
    for number, page in enumerate(pages(Filter(state=State.SCHEDULED), 2)):
        seen += [job.id for job in page]
        if number == 0:
            with transaction() as session:
                store.cancel(session, jobs[7], clock.now())  # seen
                store.cancel(session, jobs[3], clock.now())  # not yet seen
                session.delete(session.get_one(Job, jobs[6]))  # the one that the cursor names
    assert seen == [jobs[number] for number in (7, 6, 5, 4, 2, 1, 0)]


def test_a_cursor_does_not_open_another_list() -> None:
    made(3)
    with snapshot() as session:
        cursor = search.page(session, "default", Filter(), 1, None).next_cursor
        with pytest.raises(Invalid, match="another filter"):
            search.page(session, "default", Filter(queue="cpu"), 1, cursor)


def test_counts_of_dead_jobs() -> None:
    made(2)
    made(3, State.FAILED)
    made(1, State.SUCCEEDED)
    with snapshot() as session:
        assert queries.dead_counts(session) == {"default": 3}


def test_the_last_lines_of_a_job_oldest_first(clock: Clock) -> None:
    job, other = made(2, State.RUNNING)
    with transaction() as session:
        for number in range(5):
            at = clock.now() + timedelta(seconds=number)
            session.add(LogLine(job_id=job, epoch=1, at=at, level="info", message=f"line {number}\x00"))
        session.add(LogLine(job_id=other, epoch=1, at=clock.now(), level="info", message="not mine"))
    with snapshot() as session:
        assert [line.message for line in queries.log_lines(session, job, 3)] == ["line 2", "line 3", "line 4"]
