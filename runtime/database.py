"""The ledger's engine, its column types, and the one way to a transaction."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVarTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as into_postgresql
from sqlalchemy.dialects.sqlite import insert as into_sqlite
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from runtime import afterwards, sqlite, tcp
from runtime.settings import settings
from runtime.stored_json import from_json, to_json

Columns = TypeVarTuple("Columns")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

INSERT: dict[str, Callable[[Any], Any]] = {"postgresql": into_postgresql, "sqlite": into_sqlite}
"""The INSERT of each dialect, by its name, which knows `on_conflict_do_nothing` and its kin."""

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


def create_engine(url: str, patience: timedelta = timedelta(seconds=10)) -> sa.Engine:
    """An engine that waits at most `patience` for a lock or a connection."""
    seconds = patience.total_seconds()
    common: dict[str, Any] = {
        "json_serializer": to_json,
        "json_deserializer": from_json,
        "pool_timeout": seconds,
        "pool_size": 5,
        "max_overflow": 60,
    }
    if url.startswith("sqlite"):
        engine = sa.create_engine(url, connect_args={"timeout": seconds, "check_same_thread": False}, **common)
        sqlite.install(engine, seconds)
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


class _Joined(Session):
    """A session within a transaction of its connection, found at once: else that costs more than a small transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection, expire_on_commit=False)
        self._its = connection

    def connection(self, bind_arguments: Any = None, execution_options: Any = None) -> sa.Connection:
        return self._its


@contextmanager
def transaction(
    *,
    before_commit: Callable[[], None] | None = None,
    lasting: bool = True,
    on: sa.Connection | None = None,
    outlast: Callable[[str | None], object] | None = None,
) -> Iterator[Session]:
    """One transaction: committed at the end, rolled back on any exception; then what follows that (see `afterwards`).

    One that is not `lasting` survives the death of any process, but not that of the machine SQLite is on: it does not wait
    for the disk. What follows it and lasts makes it last too. `on`: the connection, if it is not to be any. `outlast`: what
    is called with the log, in the place of `sqlite.outlast`, if the disk is to be waited for.
    """
    with engine().connect() if on is None else nullcontext(on) as connection:
        session = _Joined(connection)
        try:
            with connection.begin(), session:
                session.info["lasting"] = lasting
                yield session
                session.flush()
                if before_commit:
                    before_commit()
                if session.in_transaction():
                    session.commit()  # its own part, which ends with it; the connection commits the whole
        except BaseException:
            afterwards.undone(session)
            raise
        afterwards.committed(session)
        if session.info["lasting"] and connection.dialect.name == "sqlite":
            (outlast or sqlite.outlast)(connection.info["log"])


class Seat:
    """A thread's own connection to SQLite, kept between its transactions: to take one from the pool and give it back costs
    as much as a small transaction. PostgreSQL's come from the pool, which finds out whether the server has hung up.
    """

    def __init__(self) -> None:
        self._kept: sa.Connection | None = None

    @contextmanager
    def transaction(
        self,
        *,
        before_commit: Callable[[], None] | None = None,
        lasting: bool = True,
        outlast: Callable[[str | None], object] | None = None,
    ) -> Iterator[Session]:
        """See `transaction`."""
        if self._kept is None or self._kept.engine is not engine():
            self.close()
            self._kept = engine().connect() if engine().dialect.name == "sqlite" else None
        try:
            with transaction(before_commit=before_commit, lasting=lasting, on=self._kept, outlast=outlast) as session:
                yield session
        except BaseException:
            self.close()  # a failed COMMIT leaves it within the transaction; the pool rolls back what it is given
            raise

    def close(self) -> None:
        """Give the connection back."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()


def must_last(session: Session) -> None:
    """Say that what this transaction does has to outlive the machine, whatever was thought when it began."""
    session.info["lasting"] = True


@contextmanager
def snapshot(kind: type[Session] = Session) -> Iterator[Session]:
    """A transaction that only reads: on SQLite it never takes the write lock."""
    with (
        engine().connect().execution_options(read_only=True) as connection,
        connection.begin(),
        kind(connection, expire_on_commit=False) as session,
    ):
        yield session


def ask(question: sa.Select[*Columns], **values: Any) -> Sequence[sa.Row[*Columns]]:
    """The rows of a question of its own, on a bare connection: a quarter of what a session costs.

    For what is asked again and again in vain, such as an idle scheduler's rounds; make the statement once.
    """
    with engine().connect().execution_options(read_only=True) as connection:
        return connection.execute(question, values).all()


def insert(session: Session, table: type[DeclarativeBase]) -> Any:
    """That of the session's database, see INSERT."""
    return INSERT[session.get_bind().dialect.name](table)
