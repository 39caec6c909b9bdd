"""A copy of an SQLite database, taken while everything runs, and put back when nothing does."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path


class Damaged(Exception):
    """The file is no whole SQLite database."""


class InUse(Exception):
    """A process has the database open."""


def save(database: Path, copy: Path) -> None:
    """Copy the database as it is at this moment, into one file. Nobody waits for it; it is on the disk when this returns.

    Raises:
        FileExistsError: there is something by that name, which is left as it is.
        sqlite3.OperationalError: the database cannot be read, or the copy not be written.
    """
    if copy.exists():
        raise FileExistsError(copy)
    partial = copy.with_name(f"{copy.name}.part")
    partial.unlink(missing_ok=True)
    with closing(_open(database)) as source, closing(sqlite3.connect(partial)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")  # one file, with no log beside it
    _place(partial, copy)


def put_back(copy: Path, database: Path) -> Path | None:
    """Make a copy the database. What was there is kept beside it; returns where.

    Never do this by hand while a `-wal` file lies beside the old database: SQLite would write its pages into the new one.

    Raises:
        Damaged: the copy is not whole.
        InUse: a process has the database open.
    """
    _check_whole(copy)
    aside = None
    if database.exists():
        _take_out_of_use(database)
        aside = database.with_name(f"{database.name}.before-restore")
        database.replace(aside)
    partial = database.with_name(f"{database.name}.part")
    shutil.copyfile(copy, partial)
    _place(partial, database)
    return aside


def _check_whole(copy: Path) -> None:
    try:
        with closing(_open(copy)) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise Damaged(str(error)) from None
    if verdict != "ok":
        raise Damaged(verdict)


def _take_out_of_use(database: Path) -> None:
    """Write the log back into the file, and see that nobody has it open: who has keeps SQLite from leaving WAL mode."""
    with closing(_open(database)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.OperationalError as error:
            raise InUse(str(error)) from None


def _open(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True)


def _place(partial: Path, name: Path) -> None:
    """Give a file its name, so that after a power cut there is the whole of it or nothing."""
    _sync(partial)
    partial.rename(name)
    _sync(name.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
