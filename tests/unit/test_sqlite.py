"""When the disk has what SQLite committed."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from runtime import database, sqlite
from runtime.database import snapshot, transaction


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A database with a table, in use by this process as any is, but with little patience."""
    made = tmp_path / "some.db"
    sqlite3.connect(made).execute("CREATE TABLE things (name TEXT)").connection.close()
    database.use(database.create_engine(f"sqlite:///{made}"))
    yield made
    database.use(None)


def add(name: str, **options: bool) -> None:
    with transaction(**options) as session:
        session.execute(text("INSERT INTO things VALUES (:name)"), {"name": name})


def test_what_lasts_is_on_the_disk_when_its_transaction_ends(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[os.stat_result] = []
    monkeypatch.setattr(sqlite, "_sync", lambda opened: synced.append(os.fstat(opened)))
    add("a", lasting=False)
    with snapshot() as session:
        assert session.scalars(text("SELECT count(*) FROM things")).one() == 1
    assert synced == []
    add("b")
    log = os.stat(f"{path}-wal")
    assert [(each.st_ino, each.st_size) for each in synced] == [(log.st_ino, log.st_size)], "with the one before"


def test_the_write_lock_is_free_while_the_disk_works(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []

    def look(_: int) -> None:
        with sqlite3.connect(path, timeout=0) as other:
            other.execute("INSERT INTO things VALUES ('other')")
            found.extend(name for (name,) in other.execute("SELECT name FROM things"))
        other.close()

    monkeypatch.setattr(sqlite, "_sync", look)
    add("a")
    assert found == ["a", "other"]


def test_a_disk_that_fails_is_a_database_that_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(sqlite, "_sync", fail)
    with pytest.raises(OperationalError, match="Input/output error"):
        add("a")
