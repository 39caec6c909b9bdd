"""SQLite's own: what a connection is told, and how a transaction takes the write lock."""

import sqlite3
import time
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry

GLANCE = 0.0005  # seconds between looks at the write lock


def install(engine: sa.Engine, patience: float) -> None:
    """Tune each connection of the engine, and have no transaction wait for the write lock longer than `patience` seconds."""
    event.listen(engine, "connect", partial(_tune, patience=patience))
    event.listen(engine, "begin", partial(_begin, patience=patience))


def _tune(connection: sqlite3.Connection, record: ConnectionPoolEntry, patience: float) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in (
        "journal_mode=WAL",  # readers never wait for the writer
        "synchronous=FULL",  # an accepted job survives a power cut, not just a crash
        "foreign_keys=ON",
        "cache_size=-4000",  # 4 MB of pages a connection; the kernel caches the rest
    ):
        connection.execute(f"PRAGMA {pragma}")
    record.info.update(synchronous="FULL", busy_timeout=round(patience * 1000))


def _begin(connection: sa.Connection, patience: float) -> None:
    """Take the write lock at once: a read that later turns into a write would fail instead of waiting its turn.

    SQLite's own wait for the lock looks again after 1, 2, 5, 10 … 100 ms, and so loses it to who happens to look in time.
    """
    options = connection.get_execution_options()
    if options.get("read_only"):
        _tell(connection, "busy_timeout", round(patience * 1000))
        connection.exec_driver_sql("BEGIN")
        return
    _tell(connection, "synchronous", "NORMAL" if options.get("fleeting") else "FULL")
    _tell(connection, "busy_timeout", 0)
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


def _tell(connection: sa.Connection, pragma: str, value: Any) -> None:
    """Set a pragma, unless the connection was told so the last time."""
    if connection.info[pragma] != value:
        driver: Any = connection.connection.driver_connection
        driver.execute(f"PRAGMA {pragma}={value}")
        connection.info[pragma] = value
