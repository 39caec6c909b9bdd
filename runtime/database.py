"""The ledger's engine, its column types, and the one way to a transaction."""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVarTuple

import pydantic_core
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from runtime import tcp
from runtime.settings import settings

Columns = TypeVarTuple("Columns")

GLANCE = 0.0005  # seconds between looks at SQLite's write lock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

Unavailable = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)
"""What SQLAlchemy raises when the database is locked, gone or too busy: worth trying again."""


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime: timestamptz on PostgreSQL, microseconds since 1970 on SQLite (exact, ordered, small)."""

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.TIMESTAMP(timezone=True) if dialect.name == "postgresql" else sa.BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if isinstance(value, datetime) else EPOCH + value * MICROSECOND


class Span(TypeDecorator[timedelta]):
    """A span of time, as seconds."""

    impl = sa.Double
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: sa.Dialect) -> float | None:
        return None if value is None else value.total_seconds()

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> timedelta | None:
        return None if value is None else timedelta(seconds=value)


class Base(DeclarativeBase):
    """The declarative base of all tables."""

    type_annotation_map = {datetime: Instant, timedelta: Span}  # noqa: RUF012 - SQLAlchemy's own protocol


def from_json(text: str) -> Any:
    """What was stored as JSON. Half a surrogate pair, as a task may return, becomes a question mark: it cannot be sent."""
    try:
        return pydantic_core.from_json(text)  # five times as fast as Python's own
    except ValueError:
        spelt = json.dumps(json.loads(text), ensure_ascii=False)
        return json.loads(spelt.encode(errors="replace"))


def create_engine(url: str, patience: timedelta = timedelta(seconds=10)) -> sa.Engine:
    """An engine that waits at most `patience` for a lock or a connection."""
    seconds = patience.total_seconds()
    common: dict[str, Any] = {
        "json_serializer": json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode,
        "json_deserializer": from_json,
        "pool_timeout": seconds,
        "pool_size": 5,
        "max_overflow": 60,
    }
    if url.startswith("sqlite"):
        engine = sa.create_engine(url, connect_args={"timeout": seconds, "check_same_thread": False}, **common)
        event.listen(engine, "connect", _tune_sqlite)
        event.listen(engine, "begin", partial(_begin_sqlite, patience=seconds))
        return engine
    return sa.create_engine(url, pool_pre_ping=True, connect_args=_postgres_arguments(seconds), **common)


def _postgres_arguments(seconds: float) -> dict[str, Any]:
    """Both sides notice when the other is cut off: we fail in time, and the server lets go of what we had locked."""
    session = {
        "lock_timeout": round(seconds * 1000),
        "statement_timeout": round(max(seconds, 1) * 1000),
        "idle_in_transaction_session_timeout": 60_000,
        "timezone": "UTC",
        "tcp_keepalives_idle": tcp.IDLE,
        "tcp_keepalives_interval": tcp.INTERVAL,
        "tcp_keepalives_count": tcp.PROBES,
        "tcp_user_timeout": tcp.UNACKNOWLEDGED,
    }
    return {
        "connect_timeout": max(1, round(min(seconds, tcp.CONNECT))),
        "keepalives_idle": tcp.IDLE,
        "keepalives_interval": tcp.INTERVAL,
        "keepalives_count": tcp.PROBES,
        "tcp_user_timeout": tcp.UNACKNOWLEDGED,
        "options": " ".join(f"-c {name}={value}" for name, value in session.items()),
    }


def _tune_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin_immediate
    for pragma in (
        "journal_mode=WAL",  # readers never wait for the writer
        "synchronous=FULL",  # an accepted job survives a power cut, not just a crash
        "foreign_keys=ON",
        "cache_size=-4000",  # 4 MB of pages a connection; the kernel caches the rest
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection, patience: float) -> None:
    """Take the write lock at once: a read that later turns into a write would fail instead of waiting its turn.

    SQLite's own wait for the lock looks again after 1, 2, 5, 10 … 100 ms, and so loses it to who happens to look in time.
    """
    if connection.get_execution_options().get("read_only"):
        connection.exec_driver_sql("BEGIN")
        return
    driver: Any = connection.connection.driver_connection
    synchronous = "NORMAL" if connection.get_execution_options().get("fleeting") else "FULL"
    if connection.info.get("synchronous", "FULL") != synchronous:
        driver.execute(f"PRAGMA synchronous={synchronous}")
        connection.info["synchronous"] = synchronous
    until = time.monotonic() + patience  # of the real clock: a lock is held in real time
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while time.monotonic() < until:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    break
                time.sleep(GLANCE)
            else:
                return
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # once more, for SQLAlchemy's error
    finally:
        driver.execute(f"PRAGMA busy_timeout={round(patience * 1000)}")


class _Engines:
    """This process's engine; made anew after a fork, since connections must not be shared with the parent."""

    def __init__(self) -> None:
        self.engine: sa.Engine | None = None
        self.pid = 0

    def get(self) -> sa.Engine:
        if self.engine is None or self.pid != os.getpid():
            if self.engine is not None:
                self.engine.dispose(close=False)
            self.engine, self.pid = create_engine(settings().ledger_url), os.getpid()
        return self.engine


_engines = _Engines()


def engine() -> sa.Engine:
    """The engine of this process, made on first use."""
    return _engines.get()


def use(chosen: sa.Engine | None) -> None:
    """Make `chosen` this process's engine (a test's database, the API's shorter patience); None forgets it."""
    if _engines.engine is not None and _engines.engine is not chosen:
        _engines.engine.dispose(close=_engines.pid == os.getpid())  # a child must not close what its parent still uses
    _engines.engine, _engines.pid = chosen, os.getpid()


@contextmanager
def transaction(*, before_commit: Callable[[], None] | None = None, lasting: bool = True) -> Iterator[Session]:
    """One transaction: committed at the end, rolled back on any exception; then what was asked for `after_commit`.

    One that is not `lasting` survives the death of any process, but not that of the machine SQLite is on: its commit does
    not wait for the disk. What follows it and lasts makes it last too.
    """
    bind = engine() if lasting or engine().dialect.name != "sqlite" else engine().execution_options(fleeting=True)
    with Session(bind, expire_on_commit=False) as session:
        with session.begin():
            yield session
            if before_commit:
                session.flush()
                before_commit()
        for callback in session.info.pop("after_commit", ()):
            callback()


class MustLast(Exception):
    """A transaction has to be done once more, and to be `lasting`."""


def must_last(session: Session) -> None:
    """Say that what this transaction does has to outlive the machine.

    Raises:
        MustLast: it would not.
    """
    if session.get_bind().get_execution_options().get("fleeting"):
        raise MustLast


@contextmanager
def snapshot(kind: type[Session] = Session) -> Iterator[Session]:
    """A transaction that only reads: on SQLite it never takes the write lock."""
    with kind(engine().execution_options(read_only=True), expire_on_commit=False) as session, session.begin():
        yield session


def ask(question: sa.Select[*Columns], **values: Any) -> Sequence[sa.Row[*Columns]]:
    """The rows of a question of its own, on a bare connection: a quarter of what a session costs.

    For what is asked again and again in vain, such as an idle scheduler's rounds; make the statement once.
    """
    with engine().connect().execution_options(read_only=True) as connection:
        return connection.execute(question, values).all()


def insert(session: Session, table: type[DeclarativeBase]) -> Any:
    """An INSERT that knows `on_conflict_do_nothing` and its kin, in the database's own dialect."""
    return (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert(table)


def after_commit(session: Session, callback: Callable[[], None]) -> None:
    """Run `callback` once the session's transaction has committed; a rollback drops it."""
    session.info.setdefault("after_commit", []).append(callback)
