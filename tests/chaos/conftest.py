"""A laboratory for each test, on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.laboratory import Lab
from tests.servers import Postgres, Valkey


@pytest.fixture
def broker() -> Iterator[Valkey]:
    """A broker of the test's own, without persistence."""
    server = Valkey()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'treadle.db'}"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.create_database()


@pytest.fixture
def laboratory(ledger_url: str, broker: Valkey, tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Makes the test's laboratory, with settings of its choice."""
    labs: list[Lab] = []

    def make(**settings: str) -> Lab:
        labs.append(Lab(ledger_url, broker, tmp_path, **settings))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()
