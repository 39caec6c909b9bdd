"""Bringing the database's tables to what this code needs."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from jobs import schema

LOCK = 7_229_414  # any number, the same in every process: two upgrades at once take turns on PostgreSQL


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run the migrations that are missing, all or none. Safe to run twice, and from several places at once.

    A ledger that a newer version has migrated already is left as it is, if this version can work on it.

    Raises:
        SchemaMismatch: it cannot.
    """
    config = _config()
    with engine.begin() as connection:  # on SQLite this waits for the write lock
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))  # an index on a large table takes its time
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        if (found := _revision(connection)) is not None and found not in schema.known():
            schema.check(Session(connection))
            return
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        _note_oldest(connection)


def missing(engine: Engine) -> list[Script]:
    """The migrations that the database lacks, in order.

    Raises:
        SchemaMismatch: a newer version has migrated it, and this one cannot work on it.
    """
    with engine.connect() as connection:
        found = _revision(connection)
        if found is not None and found not in schema.known():
            schema.check(Session(connection))
            return []
    return list(ScriptDirectory.from_config(_config()).iterate_revisions("head", found or "base"))[::-1]


def is_current(engine: Engine) -> bool:
    """Whether the database has every migration of this code."""
    return not missing(engine)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _note_oldest(connection: Connection) -> None:
    """Write down, beside the revision, the oldest one whose code still suits: what the newest contracting migration says."""
    migrations = ScriptDirectory.from_config(_config()).iterate_revisions(_revision(connection), "base")
    oldest = next((m.module.oldest for m in migrations if hasattr(m.module, "oldest")), schema.first())
    if "oldest" not in {column["name"] for column in sa.inspect(connection).get_columns("alembic_version")}:
        connection.execute(text("ALTER TABLE alembic_version ADD COLUMN oldest VARCHAR(32)"))
    connection.execute(text("UPDATE alembic_version SET oldest = :oldest"), {"oldest": oldest})
