"""A copy is whole or refused, and never takes another's place by mistake."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runtime import backup


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with a row, and one more in its log."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY)")
        connection.execute("INSERT INTO jobs VALUES (1)")
        connection.commit()
    return path


def jobs(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [number for (number,) in connection.execute("SELECT id FROM jobs ORDER BY id")]


def test_a_copy_has_what_is_still_in_the_log_and_is_one_file(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("INSERT INTO jobs VALUES (2)")
        writer.commit()
        writer.execute("INSERT INTO jobs VALUES (3)")  # not committed: not copied
        backup.save(database, tmp_path / "copy.db")
    assert jobs(tmp_path / "copy.db") == [1, 2]
    assert {path.name for path in tmp_path.glob("copy*")} == {"copy.db"}


def test_a_copy_takes_no_other_s_name(database: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(FileExistsError):
        backup.save(database, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"


def test_what_is_not_there_cannot_be_copied(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        backup.save(tmp_path / "none.db", tmp_path / "copy.db")
    assert not (tmp_path / "none.db").exists()


def test_a_damaged_copy_is_refused_and_the_database_stays(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    backup.save(database, copy)
    content = bytearray(copy.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    copy.write_bytes(content)
    with pytest.raises(backup.Damaged):
        backup.put_back(copy, database)
    assert jobs(database) == [1]


def test_a_database_that_someone_has_open_is_not_replaced(database: Path, tmp_path: Path) -> None:
    backup.save(database, tmp_path / "copy.db")
    with closing(sqlite3.connect(database)) as idle:
        idle.execute("SELECT * FROM jobs").fetchall()
        with pytest.raises(backup.InUse):
            backup.put_back(tmp_path / "copy.db", database)


def test_a_log_that_a_crash_left_does_not_get_into_the_restored_database(database: Path, tmp_path: Path) -> None:
    backup.save(database, tmp_path / "copy.db")
    with closing(sqlite3.connect(database)) as crashing:
        crashing.execute("INSERT INTO jobs VALUES (2)")
        crashing.commit()
        left = {suffix: Path(f"{database}{suffix}").read_bytes() for suffix in ("", "-wal")}
    for suffix, content in left.items():
        Path(f"{database}{suffix}").write_bytes(content)
    aside = backup.put_back(tmp_path / "copy.db", database)
    assert jobs(database) == [1]
    assert aside is not None
    assert jobs(aside) == [1, 2]
