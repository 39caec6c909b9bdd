"""The history that `python -m bench.history` makes is one that the ledger could have."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from bench.past import fill
from jobs import search
from jobs.model import Attempt
from jobs.search import Filter
from jobs.states import State
from runtime import database
from runtime.database import snapshot


@pytest.fixture
def own(ledger: sa.Engine, request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    """A ledger that no other test comes to: its indexes are made anew, and PostgreSQL counts what is in it."""
    if ledger.dialect.name == "sqlite":
        yield ledger
        return
    postgres, template = (request.getfixturevalue(name) for name in ("postgres", "postgres_template"))
    engine = database.create_engine(postgres.create_database(template))
    database.use(engine)
    yield engine
    database.use(None)
    engine.dispose()


def test_a_made_history_is_found_by_the_doors_own_questions(own: sa.Engine) -> None:
    indexes = {index["name"] for index in sa.inspect(own).get_indexes("jobs")}
    fill(own, 200)
    assert {index["name"] for index in sa.inspect(own).get_indexes("jobs")} == indexes
    with snapshot() as session:
        for wanted, count in (
            (Filter(), 200),
            (Filter(state=State.FAILED, error_class="Timeout0"), 10),
            (Filter(tags=("tag8",), metadata=(("customer", "8"),)), 1),
            (Filter(queue="cpu", task="task.10"), 4),
        ):
            assert search.count(session, "default", wanted).count == count
        newest = search.page(session, "default", Filter(), 1, payloads=True).jobs[0]
        attempts = session.scalars(sa.select(Attempt).where(Attempt.job_id == newest.id)).all()
    assert newest.payload == {"text": "number 199"}
    assert [attempt.finished_at for attempt in attempts] == [newest.finished_at]
