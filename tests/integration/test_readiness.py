"""/readyz: whether jobs are accepted here, and by what settings the database might lose them."""

from collections.abc import Iterator

import httpx2
import pytest
import sqlalchemy as sa

from jobs import schema
from tests.contract.door import Door


@pytest.fixture
def older(ledger: sa.Engine) -> Iterator[None]:
    """A ledger that `treadle migrate` has not come to yet."""
    change = sa.text("UPDATE alembic_version SET version_num = :revision")
    with ledger.begin() as connection:
        connection.execute(change, {"revision": schema.first()})
    yield
    with ledger.begin() as connection:
        connection.execute(change, {"revision": schema.head()})


def test_the_door_is_ready(door: Door) -> None:
    answer = door.ask("GET", "/readyz")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["database"]) == ("ready", "ok")


@pytest.mark.usefixtures("older")
def test_the_door_is_not_ready_while_tables_are_missing_and_says_what_to_do(door: Door) -> None:
    answer = httpx2.get(f"http://127.0.0.1:{door.port}/readyz", trust_env=False)  # any 5xx that the door is asked for fails
    assert answer.status_code == 503
    assert "Run `treadle migrate` first" in answer.json()["database"]


def test_settings_by_which_the_database_may_lose_jobs_are_told(door: Door, ledger: sa.Engine) -> None:
    told = door.ask("GET", "/readyz").json()["doubts"]
    fast = ["fsync is off", "full_page_writes is off", "synchronous_commit is off"]  # as tests have PostgreSQL, for speed
    assert told == (fast if ledger.dialect.name == "postgresql" else [])
