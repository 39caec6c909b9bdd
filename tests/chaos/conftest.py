"""A laboratory for each test, on SQLite and on PostgreSQL, and the table of what the tests measured."""

import dataclasses
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.chaos import table
from tests.chaos.gate import GATE
from tests.laboratory import Lab
from tests.servers import Postgres, Valkey

_ROW = "fault"  # a report's property, which comes along from the processes that the suite is spread over


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is not of every commit is for `make chaos-full`."""
    for item in items:
        folder, _, name = item.nodeid.rpartition("tests/chaos/")
        if not folder and name != item.nodeid and name not in GATE:
            item.add_marker(pytest.mark.long)


class Record(Protocol):
    """How a test puts its figures into the table. `seconds` is from the end of the fault until all was well."""

    def __call__(self, number: int, fault: str, celery: str, ours: str, seconds: float | None) -> None: ...


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Puts a row into the table: what was measured, after it was asserted.

    `number` is the fault's place in the list of twenty (docs/reliability.md); several rows may share one.
    """
    called = getattr(request.node, "callspec", None)
    on = str(called.params.get("ledger_url", called.params.get("ledger", ""))) if called else ""

    def put(number: int, fault: str, celery: str, ours: str, seconds: float | None) -> None:
        request.node.user_properties.append((_ROW, dataclasses.astuple(table.Row(number, fault, on, celery, ours, seconds))))

    return put


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `make chaos-full`, which has the table written into the documentation, and of `make chaos-seeds`."""
    parser.addoption("--seed", type=int, help="what chance does in the tests themselves follows from this number")
    parser.addoption("--table", type=Path, metavar="PAGE", help="write the table of faults between this page's markers")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """The table, at the end of the run. A page gets it only from a run that was green."""
    passed = terminalreporter.stats.get("passed", [])
    rows = [table.Row(*row) for report in passed for name, row in report.user_properties if name == _ROW]
    if not rows:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(table.drawn(rows))
    page = config.getoption("--table", None)
    if page is not None and exitstatus == pytest.ExitCode.OK:
        table.write(page, rows)
        terminalreporter.write_line(f"written to {page}")


def pytest_configure(config: pytest.Config) -> None:
    """A seed in any case, which the report's head names."""
    if config.getoption("seed", None) is None:
        config.option.seed = random.randrange(10**6)


def pytest_report_header(config: pytest.Config) -> str:
    """What to repeat a run with."""
    return f"chaos: --seed {config.getoption('seed')}"


@pytest.fixture(autouse=True)
def _seed(request: pytest.FixtureRequest) -> None:
    """Who is killed when, where the power goes, in what order events are sent: not how processes and their threads race."""
    random.seed(f"{request.config.getoption('seed')} {request.node.name}")


@pytest.fixture
def broker() -> Iterator[Valkey]:
    """A broker of the test's own, without persistence."""
    server = Valkey()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'treadle.db'}"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.create_database()


@pytest.fixture
def laboratory(
    ledger_url: str, broker: Valkey, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Lab]]:
    """Makes the test's laboratory, with settings of its choice. After the test, the invariants are checked."""
    labs: list[Lab] = []

    def make(**settings: str) -> Lab:
        labs.append(Lab(ledger_url, broker, tmp_path, **settings))
        return labs[-1]

    failed = request.session.testsfailed
    yield make
    try:
        if request.session.testsfailed == failed:
            for lab in labs:
                lab.check()
    finally:
        for lab in labs:
            lab.close()
