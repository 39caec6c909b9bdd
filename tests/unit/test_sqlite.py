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
from scheduler.checkpoint import SELDOM, WriteBack


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


def test_whoever_commits_leaves_the_log_to_the_scheduler(path: Path) -> None:
    for number in range(1200):
        add(f"{number}", lasting=False)
    before = os.stat(path).st_size
    assert os.stat(f"{path}-wal").st_size > 1200 * 4096, "SQLite would have written it back by now"
    chore = WriteBack()
    assert chore.go() is None
    assert os.stat(path).st_size > before
    assert chore.go() == SELDOM, "nothing is new"


def test_a_log_that_others_never_let_end_begins_anew_all_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "LONG", 10)
    for number in range(20):
        add(f"{number}")
    with snapshot() as reader:
        reader.execute(text("SELECT count(*) FROM things"))
        assert sqlite.write_back(database.engine()) >= 20
    size = os.stat(f"{path}-wal").st_size
    assert sqlite.write_back(database.engine()) >= 20
    add("next")
    assert sqlite.write_back(database.engine()) < 10
    assert os.stat(f"{path}-wal").st_size == size, "it is written over, not made anew"
