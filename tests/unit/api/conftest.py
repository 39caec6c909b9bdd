"""A door for each module, and a ledger on SQLite for what needs no door."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from runtime import database
from runtime.broker import Hint
from tests.contract.door import Door, on_sqlite


@pytest.fixture(scope="module")
def door(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The API, answering; nothing is published."""
    with on_sqlite(sqlite_template, tmp_path_factory.mktemp("door")) as opened:
        yield opened


@pytest.fixture
def engine(sqlite_template: Path, tmp_path: Path, configure: Callable[..., None], sent: list[Hint]) -> Iterator[Engine]:
    """An empty ledger, in use by this process."""
    shutil.copy(sqlite_template, tmp_path / "treadle.db")
    made = database.create_engine(f"sqlite:///{tmp_path / 'treadle.db'}")
    database.use(made)
    yield made
    database.use(None)
