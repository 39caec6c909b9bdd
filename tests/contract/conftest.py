"""A door on a SQLite ledger, and how many requests to put through it: --fuzz 10000 is the full number."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import tasks
from tests.contract.door import Door, asked, on_sqlite

USUAL = 1500


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many random requests."""
    parser.addoption("--fuzz", type=int, default=USUAL, help="random requests that the contract tests make, in all")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many it were, and how they were answered."""
    if asked:
        by_status = ", ".join(f"{count} x {status}" for status, count in sorted(asked.items()))
        terminalreporter.write_line(f"contract: {asked.total()} requests answered: {by_status}")


@pytest.fixture(scope="session")
def fuzz(request: pytest.FixtureRequest) -> int:
    """The number of random requests in all."""
    wanted: int = request.config.getoption("fuzz", USUAL)
    return wanted


@pytest.fixture(scope="module")
def door(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One door for the module, where each provider has an account that the workers hold; nothing is published."""
    tasks.load()
    accounts = ",".join(sorted({task.name.partition(".")[0] for task in tasks.catalogue.all()}))
    with on_sqlite(sqlite_template, tmp_path_factory.mktemp("door"), known_accounts=accounts) as opened:
        yield opened
