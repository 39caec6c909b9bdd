"""SQLite's own: what a connection is told, how a transaction takes the write lock, and how the disk comes to have it."""

import os
import sqlite3
import time
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry

GLANCE = 0.0005  # seconds between looks at the write lock
TOO_LONG = 16_000  # pages of log (64 MB) at which whoever commits writes them back; the scheduler does long before
LONG = TOO_LONG // 2  # at which the log is made to begin anew, though others write and read
MOMENT = 50  # milliseconds that these may be held up for it

_sync = getattr(os, "fdatasync", os.fsync)  # macOS has but the one


def install(engine: sa.Engine, patience: float) -> None:
    """Tune each connection of the engine, and have no transaction wait for the write lock longer than `patience` seconds."""
    event.listen(engine, "connect", partial(_tune, patience=patience))
    event.listen(engine, "begin", partial(_begin, patience=patience))


def outlast(log: str | None) -> None:
    """Wait until the disk has all that was committed so far: then it survives a power cut, not only the end of processes.

    What `synchronous=FULL` does within a commit, while it holds the write lock; after the commit nobody else waits for it.
    `log` is the `info["log"]` of a connection that has committed and is open: its log is not replaced meanwhile
    (https://sqlite.org/walformat.html). None: there is none, and the commit itself has waited.

    Raises:
        sqlalchemy.exc.OperationalError: the disk failed, as within a commit; all processes see what was committed.
    """
    if log is None:
        return
    try:
        opened = os.open(log, os.O_RDONLY)
        try:
            _sync(opened)
        finally:
            os.close(opened)
    except OSError as error:
        raise sa.exc.OperationalError(f"fdatasync {log}", None, error) from error


def write_back(engine: sa.Engine) -> int:
    """Write the log back into the tables, beside whoever reads and writes. Returns how many pages it had.

    SQLite's own way is that each thousandth page is followed by a checkpoint, for which whoever committed it has to wait.
    """
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection  # past SQLAlchemy, which would begin a transaction
        pages: int = driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
        if pages > LONG:  # somebody always wrote, so it was never written back to its end
            _have_wait(connection, MOMENT)
            driver.execute("PRAGMA wal_checkpoint(RESTART)")
        return pages


def _tune(connection: sqlite3.Connection, record: ConnectionPoolEntry, patience: float) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in (
        "foreign_keys=ON",
        f"wal_autocheckpoint={TOO_LONG}",
        "cache_size=-4000",  # 4 MB of pages a connection; the kernel caches the rest
    ):
        connection.execute(f"PRAGMA {pragma}")
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()  # readers never wait for the writer
    logs = mode == "wal"  # not on a file system that cannot share memory
    connection.execute(f"PRAGMA synchronous={'NORMAL' if logs else 'FULL'}")  # see `outlast`
    _, _, path = connection.execute("PRAGMA database_list").fetchone()
    record.info.update(log=f"{path}-wal" if logs else None, busy_timeout=round(patience * 1000))


def _begin(connection: sa.Connection, patience: float) -> None:
    """Take the write lock at once: a read that later turns into a write would fail instead of waiting its turn.

    SQLite's own wait for the lock looks again after 1, 2, 5, 10 … 100 ms, and so loses it to who happens to look in time.
    """
    if connection.get_execution_options().get("read_only"):
        _have_wait(connection, round(patience * 1000))
        connection.exec_driver_sql("BEGIN")
        return
    _have_wait(connection, 0)
    driver: Any = connection.connection.driver_connection
    until = time.monotonic() + patience  # of the real clock: a lock is held in real time
    while True:
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                break
            time.sleep(GLANCE)
        else:
            return
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # once more, for SQLAlchemy's error


def _have_wait(connection: sa.Connection, most: int) -> None:
    """How many milliseconds SQLite itself is to wait for a lock. It is told only what the connection was not told last."""
    if connection.info["busy_timeout"] != most:
        driver: Any = connection.connection.driver_connection
        driver.execute(f"PRAGMA busy_timeout={most}")
        connection.info["busy_timeout"] = most
