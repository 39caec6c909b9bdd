"""The migrations make the tables that the model means, on both databases, also when run twice or at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.orm import Session

from jobs import migrate, schema
from jobs.model import Base
from runtime import database
from tests.servers import Postgres

Fresh = Callable[[], sa.Engine]


@pytest.fixture(params=["sqlite", "postgresql"])
def another(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fresh]:
    """Makes engines of one empty database."""
    server: Postgres | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    url = server.create_database() if server else f"sqlite:///{tmp_path / 'empty.db'}"
    engines: list[sa.Engine] = []

    def make_one() -> sa.Engine:
        engines.append(database.create_engine(url))
        return engines[-1]

    yield make_one
    for engine in engines:
        engine.dispose()
    if server:
        server.drop_database(url)


@pytest.fixture
def empty(another: Fresh) -> sa.Engine:
    return another()


def checks_of(engine: sa.Engine) -> dict[str, set[str | None]]:
    inspector = sa.inspect(engine)
    return {name: {check["name"] for check in inspector.get_check_constraints(name)} for name in Base.metadata.tables}


def test_the_migrated_tables_are_those_of_the_model(empty: sa.Engine) -> None:
    migrate.upgrade(empty)
    with empty.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrated_checks_are_those_of_the_model(empty: sa.Engine) -> None:
    migrate.upgrade(empty)
    meant = {
        name: {str(check.name) for check in table.constraints if isinstance(check, sa.CheckConstraint)}
        for name, table in Base.metadata.tables.items()
    }
    assert checks_of(empty) == meant


def test_the_migrated_partial_indexes_are_those_of_the_model(empty: sa.Engine) -> None:
    migrate.upgrade(empty)
    inspector = sa.inspect(empty)
    option = f"{empty.dialect.name}_where"
    for name, table in Base.metadata.tables.items():
        found = {index["name"]: index["dialect_options"].get(option) for index in inspector.get_indexes(name)}
        for index in table.indexes:
            assert (found[index.name] is not None) == (index.dialect_options[empty.dialect.name]["where"] is not None)


def test_migrating_twice_is_migrating_once(empty: sa.Engine) -> None:
    assert not migrate.is_current(empty)
    migrate.upgrade(empty)
    assert migrate.is_current(empty)
    migrate.upgrade(empty)
    assert migrate.is_current(empty)


def test_several_processes_may_migrate_at_once(another: Fresh) -> None:
    together = Barrier(4)

    def upgrade(engine: sa.Engine) -> None:
        together.wait(10)
        migrate.upgrade(engine)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, [another() for _ in range(4)]))
    assert migrate.is_current(another())


def test_what_goes_up_comes_down(empty: sa.Engine) -> None:
    migrate.upgrade(empty)
    config = migrate._config()
    with empty.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()
    assert set(sa.inspect(empty).get_table_names()) == {"alembic_version"}
    migrate.upgrade(empty)
    assert migrate.is_current(empty)


def test_a_migration_only_adds_unless_it_says_which_version_it_needs(empty: sa.Engine) -> None:
    migrate.upgrade(empty, "0001")
    before = columns_of(empty)
    for migration in migrate.missing(empty):
        migrate.upgrade(empty, migration.revision)
        after = columns_of(empty)
        if not hasattr(migration.module, "oldest"):
            check_only_added(before, after)
        before = after


def columns_of(engine: sa.Engine) -> dict[str, dict[str, Any]]:
    inspector = sa.inspect(engine)
    return {
        table: {column["name"]: column for column in inspector.get_columns(table)} for table in inspector.get_table_names()
    }


def check_only_added(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> None:
    """What older code reads is there, and what it writes is taken."""
    for table, columns in before.items():
        assert columns.keys() <= after[table].keys(), f"{table}: older code reads a column that is gone"
        for name, column in after[table].items():
            old = columns.get(name)
            optional = column["nullable"] or column["default"] is not None
            assert optional or (old is not None and not old["nullable"]), f"{table}.{name}: older code writes no value"
            assert old is None or str(old["type"]) == str(column["type"]), f"{table}.{name}: its type has changed"


def test_the_ledger_says_which_versions_it_suits(empty: sa.Engine) -> None:
    migrate.upgrade(empty)
    with Session(empty) as session:
        schema.check(session)
        session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        schema.check(session)  # a newer version has added to it
        session.execute(sa.text("UPDATE alembic_version SET oldest = '9998'"))
        with pytest.raises(schema.SchemaMismatch, match="Start a newer version"):
            schema.check(session)


def test_older_code_leaves_a_newer_ledger_as_it_is(empty: sa.Engine) -> None:
    migrate.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    assert migrate.missing(empty) == []
    migrate.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET oldest = '9998'"))
    with pytest.raises(schema.SchemaMismatch):
        migrate.upgrade(empty)


@pytest.mark.parametrize("has", [None, "0001"])
def test_newer_code_says_what_an_older_ledger_needs(empty: sa.Engine, has: str | None) -> None:
    if has:
        migrate.upgrade(empty, has)
    with Session(empty) as session, pytest.raises(schema.SchemaMismatch, match="`treadle migrate`"):
        schema.check(session)


def test_the_revisions_read_from_the_files_are_alembic_s() -> None:
    scripts = ScriptDirectory.from_config(migrate._config())
    assert schema.head() == scripts.get_current_head()
    assert schema.known() == {script.revision: script.down_revision or "" for script in scripts.walk_revisions()}


def test_a_migration_that_fails_leaves_nothing_behind(empty: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    real = command.upgrade

    def fails_at_the_end(*arguments: object) -> None:
        real(*arguments)
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(migrate.command, "upgrade", fails_at_the_end)
        with pytest.raises(RuntimeError):
            migrate.upgrade(empty)
    assert sa.inspect(empty).get_table_names() == []
    migrate.upgrade(empty)
    assert migrate.is_current(empty)
