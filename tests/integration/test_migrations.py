"""The migrations make the tables that the model means, on both databases, also when run twice or at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from jobs import migrate
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
