"""The bench of the conformance suite: a provider's task, run by the worker's own code on a real ledger, against a fake."""

import logging
import math
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
import structlog

from jobs import holds
from jobs.model import Attempt, Job, LogLine, Receipt
from runtime import database, logs, scripts
from runtime.accounts import variable
from runtime.database import snapshot
from tasks import clients, http
from tasks.health.circuit import counts
from tasks.health.limiter import rates
from tasks.provider import ProviderTask
from tests import make
from tests.contract.integrations.entry import Entry
from tests.contract.integrations.fake import Fake
from tests.trial import Trial


@dataclass
class Bench(Trial[ProviderTask]):
    """Where a provider's task is tried. `log` is all that was logged so far."""

    entry: Entry
    fake: Fake
    configure: Callable[..., None]
    log: Callable[[], str]

    def call_at(self, url: str, patience: str = "15s") -> None:
        """From now on the account's address is this one, and a call may take so long."""
        account = self.task.provider.name
        fields = {**self.entry.account, **self.entry.address(url), "timeout": patience}
        self.configure(**{variable(account, name).removeprefix("TREADLE_"): value for name, value in fields.items()})

    def submit(self) -> UUID:
        """A job of the task, as the door would take it."""
        return self.take(self.entry.payloads.get(self.task.name, self.task.example))

    def rows(self) -> str:
        """The whole ledger as text."""
        tables = [model.__table__ for model in (Job, Attempt, LogLine, Receipt)]
        with snapshot() as session:
            return "\n".join(repr(tuple(row)) for table in tables for row in session.execute(sa.select(table)))


@pytest.fixture(scope="module")
def suite_ledger(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """One ledger for the suite; `bench` empties it."""
    path = tmp_path_factory.mktemp("conformance") / "treadle.db"
    shutil.copy(sqlite_template, path)
    engine = make.hasty_sqlite(path)
    database.use(engine)
    yield engine
    database.use(None)


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    """One third party for the suite: always at the same address, so that clients are shared as in a worker."""
    started = Fake()
    yield started
    started.close()
    clients.close()
    http.close()


@pytest.fixture
def provided() -> tuple[ProviderTask, Entry]:
    """The task and its provider's entry: each test says which."""
    raise NotImplementedError


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No client looks up another host than the account's: some ask their makers for things of their own."""
    asked: list[Any] = []
    look_up = socket.getaddrinfo

    def watched(host: Any, *more: Any, **named: Any) -> Any:
        if host not in {"127.0.0.1", "localhost", "provider.example.com"}:
            asked.append(host)
            raise socket.gaierror(f"{host} is not the account's host")
        return look_up(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    yield
    assert not asked, "a client called others than the account's host"


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's health is this process's own: the Redis that another test spoke to is not asked."""
    monkeypatch.setattr(scripts.redis, "_rest_until", math.inf)


@pytest.fixture
def bench(
    alone: None,
    at_home: None,
    provided: tuple[ProviderTask, Entry],
    suite_ledger: sa.Engine,
    fake: Fake,
    configure: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    sent: object,
) -> Iterator[Bench]:
    """The bench, with an account that calls the fake."""
    make.empty(suite_ledger)
    for remembered in (holds.memory, counts, rates):  # what other tests did to the account
        remembered.__init__()  # type: ignore[misc]
    (task, entry), said = provided, []
    root, formerly = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    configure(log_level="DEBUG", log_format="json")
    logs.configure("conformance")

    def log() -> str:
        said.append(capsys.readouterr().err)
        return "".join(said)

    fake.reset(entry.aside)
    made = Bench(task, entry, fake, configure, log)
    made.call_at(fake.url)
    yield made
    fake.release.set()
    root.handlers[:], root.level = handlers, level
    structlog.configure(**formerly)
