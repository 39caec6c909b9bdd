"""What all tests stand on: real servers, a fresh ledger on each database, a clock that can be moved."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa

ROOT = str(Path(__file__).parent.parent)
if ROOT not in sys.path:  # so that `from tests import make` works however pytest was started
    sys.path.insert(0, ROOT)

from jobs import flow, holds, migrate  # noqa: E402 - the path comes first
from runtime import clock as real_clock  # noqa: E402
from runtime import database  # noqa: E402
from runtime.broker import Hint  # noqa: E402
from runtime.publisher import publisher  # noqa: E402
from runtime.settings import settings  # noqa: E402
from tests import make  # noqa: E402
from tests.brokers import RabbitMQ  # noqa: E402
from tests.clock import Clock  # noqa: E402
from tests.servers import Postgres, StartFailed, Valkey  # noqa: E402

hypothesis.settings.register_profile("quick", deadline=None, max_examples=60, stateful_step_count=40)
hypothesis.settings.register_profile("long", deadline=None, max_examples=2000, stateful_step_count=100)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The chaos tests begin first: their files are the longest, and under `-n` a file stays in one process."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/chaos/"))
    for item in items:
        assert " at 0x" not in item.nodeid, f"{item.nodeid} has another name in each process: give its values ids"


def _absent(what: str, why: BaseException) -> None:
    """A server cannot be had: tests that need it are skipped by name, but never where CI promises it."""
    sentence = f"{what} cannot be had here: {why}"
    if os.environ.get("CI", "").lower() in {"true", "1"}:
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    """A Valkey for the session; see `valkey`."""
    try:
        server = Valkey()
    except (ImportError, OSError, StartFailed) as why:
        _absent("Valkey", why)
    yield server
    server.remove()


@pytest.fixture
def valkey(valkey_server: Valkey) -> Valkey:
    """The session's Valkey, running and empty."""
    import redis  # noqa: PLC0415 - only tests with a broker need it

    if not valkey_server.runs:
        valkey_server.start()
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
    return valkey_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for the session."""
    try:
        server = Postgres()
    except (ImportError, OSError, KeyError, StartFailed) as why:
        _absent("PostgreSQL", why)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A RabbitMQ for the session."""
    try:
        server = RabbitMQ()
    except (OSError, StartFailed) as why:
        _absent("RabbitMQ", why)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """The name of a migrated database; `postgres.create_database(postgres_template)` copies it."""
    url = postgres.create_database()
    _migrate(url)
    return url.rpartition("/")[2]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a migrated database, to be copied."""
    path = tmp_path_factory.mktemp("template") / "treadle.db"
    _migrate(f"sqlite:///{path}")
    return path


def _migrate(url: str) -> None:
    engine = database.create_engine(url)
    migrate.upgrade(engine)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_ledger(postgres: Postgres, postgres_template: str) -> Iterator[sa.Engine]:
    """One migrated database for all tests in turn; `ledger` empties it."""
    engine = database.create_engine(postgres.create_database(postgres_template))
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, configure: Callable[..., None], sent: list[Hint]) -> Iterator[sa.Engine]:
    """An empty ledger, in use by this process, on each of the databases; hints go to `sent`."""
    engine = _fresh_sqlite(request) if request.param == "sqlite" else _emptied_postgres(request)
    database.use(engine)
    flow.window.__init__()
    holds.memory.__init__()
    yield engine
    flow.window.__init__()
    holds.memory.__init__()
    database.use(None)


def _fresh_sqlite(request: pytest.FixtureRequest) -> sa.Engine:
    path = request.getfixturevalue("tmp_path") / "treadle.db"
    shutil.copy(request.getfixturevalue("sqlite_template"), path)
    return make.hasty_sqlite(path)


def _emptied_postgres(request: pytest.FixtureRequest) -> sa.Engine:
    engine: sa.Engine = request.getfixturevalue("postgres_ledger")
    make.empty(engine)
    return engine


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Settings by name for this test, such as configure(hint_window=5); without it the defaults, whatever the shell has."""

    def change(**values: Any) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"TREADLE_{name.upper()}", str(value))
        settings.cache_clear()

    for name in [name for name in os.environ if name.startswith("TREADLE_")]:
        monkeypatch.delenv(name)
    change(home=tmp_path)
    yield change
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Hint]:
    """The hints that were offered for publishing, in order; nothing is published."""
    hints: list[Hint] = []
    monkeypatch.setattr(publisher, "offer", hints.extend)
    return hints


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of all code under test, in the test's hands."""
    moved = Clock()
    monkeypatch.setattr(real_clock, "now", moved.now)
    monkeypatch.setattr(real_clock, "monotonic", moved.monotonic)
    return moved
