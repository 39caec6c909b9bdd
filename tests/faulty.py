"""A pytest plugin: the suite while each SQL statement fails by a chance (Temporal runs its own in this way).

`pytest -p tests.faulty --sql-faults 0.02 tests/integration`. A test of the ledger then passes, or hears from the call that
failed that the ledger is away; a request that is refused with 503 is sent again, as its Retry-After asks. Anything else is a
failure, and so is a ledger in which something is half stored when the test has ended.
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
from tests.contract.door import Door

SEED = int(os.environ.get("SQL_FAULTS_SEED") or os.getpid())
REPEATS = 30  # of a refused request

UNFIT = {
    "test_enqueue.py": "the items of a bulk answer are refused one by one, each with a 503 of its own",
    "test_a_queue_may_be_paused_by_many_at_once": "the threads that hear of a fault are the test's own",
    "test_a_payload_that_is_no_json_leaves_nothing": "it expects an error, and looks at its words",
    "test_model": "the model does not know of faults",
}

_injection = pytest.StashKey[sql_faults.Injection]()
_ended_early = pytest.StashKey[bool]()
_count: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The chance by which a statement fails."""
    parser.addoption(
        "--sql-faults", type=float, default=0.0, metavar="CHANCE", help="let each SQL statement fail by this chance"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only tests with a ledger in this process can be struck, and of those not the unfit."""
    struck = [item for item in items if "ledger" in getattr(item, "fixturenames", ()) and not _is_unfit(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in struck])
    items[:] = struck


@pytest.fixture(autouse=True)
def _sql_faults(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    engine: sa.Engine = request.getfixturevalue("ledger")
    seed = SEED ^ zlib.crc32(request.node.nodeid.encode())
    injection = sql_faults.inject(0, engine, doubtful=False, seed=seed)
    request.node.stash[_injection] = injection
    monkeypatch.setattr(httpx2.Client, "send", _patiently(httpx2.Client.send))
    monkeypatch.setattr(Door, "check_ledger", _look_at_whole_tests(request.node, Door.check_ledger))
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
    except Exception as error:
        if not _tells_of_fault(error):
            raise
        _count["heard of it"] += 1
        item.stash[_ended_early] = True
    finally:
        injection.chance = 0
        _count.update(tests=1, statements=injection.statements, faults=injection.faults, struck=injection.faults > 0)
    return answer


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was injected."""
    told = ", ".join(f"{count} {what}" for what, count in sorted(_count.items()))
    terminalreporter.write_line(f"sql faults: {told}; SQL_FAULTS_SEED={SEED}")


def _tells_of_fault(error: BaseException | None) -> bool:
    """Whether this is the fault itself, or an error of ours that names it as its cause."""
    while error is not None and not (isinstance(error, Unavailable) and sql_faults.SAID in str(error)):
        error = error.__cause__
    return error is not None


def _is_unfit(item: pytest.Item) -> bool:
    """Hypothesis, too, takes a fault for a test that cannot decide."""
    function = getattr(item, "function", None)
    return getattr(function, "is_hypothesis_test", False) or any(part in item.nodeid for part in UNFIT)


def _look_at_whole_tests(item: pytest.Item, check: Any) -> Any:
    def check_ledger(self: Door) -> None:
        if not item.stash.get(_ended_early, False):  # else it has made things that it could not yet tell of
            check(self)

    return check_ledger


def _patiently(send: Any) -> Any:
    def repeat(self: httpx2.Client, request: httpx2.Request, **options: Any) -> httpx2.Response:
        for _ in range(REPEATS):
            answer: httpx2.Response = send(self, request, **options)
            if answer.status_code != 503 or "ledger-busy" not in answer.text:
                break
            _count["refused with 503"] += 1
        return answer

    return repeat
