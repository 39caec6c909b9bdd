"""A pytest plugin: the suite while each SQL statement fails by a chance (Temporal runs its own in this way).

`pytest -p tests.faulty --sql-faults 0.02 tests/integration`. A test of the ledger then passes, or hears `Unavailable` from
the call that failed; a request that is refused with 503 is sent again, as its Retry-After asks. Anything else is a failure,
and so is a ledger in which something is half stored when the test has ended.
"""

import os
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from runtime.database import Unavailable
from tests import invariants, sql_faults

SEED = int(os.environ.get("SQL_FAULTS_SEED") or os.getpid())
REPEATS = 30  # of a refused request

_injection = pytest.StashKey[sql_faults.Injection]()
_count: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The chance by which a statement fails."""
    parser.addoption(
        "--sql-faults", type=float, default=0.0, metavar="CHANCE", help="let each SQL statement fail by this chance"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only tests with a ledger in this process can be struck. Hypothesis takes a fault for a test that cannot decide."""
    struck = [item for item in items if "ledger" in getattr(item, "fixturenames", ()) and not _is_random(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in struck])
    items[:] = struck


@pytest.fixture(autouse=True)
def _sql_faults(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    engine: sa.Engine = request.getfixturevalue("ledger")
    seed = SEED ^ zlib.crc32(request.node.nodeid.encode())
    injection = sql_faults.inject(0, engine, doubtful=False, seed=seed)
    request.node.stash[_injection] = injection
    monkeypatch.setattr(httpx2.Client, "send", _patiently(httpx2.Client.send))
    yield
    sql_faults.end(injection, engine)
    invariants.check_attempts(engine)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    """Statements fail while the test itself runs: not in what sets it up or looks at it afterwards."""
    injection = item.stash[_injection]
    injection.chance = item.config.getoption("--sql-faults")
    answer = None
    try:
        answer = yield
    except Unavailable as error:
        if sql_faults.SAID not in str(error):
            raise
        _count["heard of it"] += 1
    finally:
        injection.chance = 0
        _count.update(tests=1, statements=injection.statements, faults=injection.faults, struck=injection.faults > 0)
    return answer


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was injected."""
    told = ", ".join(f"{count} {what}" for what, count in sorted(_count.items()))
    terminalreporter.write_line(f"sql faults: {told}; SQL_FAULTS_SEED={SEED}")


def _is_random(item: pytest.Item) -> bool:
    function = getattr(item, "function", None)
    return getattr(function, "is_hypothesis_test", False) or "test_model" in item.nodeid


def _patiently(send: Any) -> Any:
    def repeat(self: httpx2.Client, request: httpx2.Request, **options: Any) -> httpx2.Response:
        for _ in range(REPEATS):
            answer: httpx2.Response = send(self, request, **options)
            if answer.status_code != 503 or "ledger-busy" not in answer.text:
                break
            _count["refused with 503"] += 1
        return answer

    return repeat
