"""The sides that are not ours: plain Celery, and the queues that `make bench-peers` has installed (see bench/peers)."""

import os
import sys
from pathlib import Path
from typing import Any

from bench.agent import Agent
from bench.client import post
from bench.sides import Side
from bench.work import Kind
from tests.laboratory import ROOT, Part
from tests.servers import Valkey, free_port

HOMES = ROOT / "bench" / "out" / "peers"  # an environment each
OURS = {"celery", "flower"}  # are in our own


class _Process(Part):
    """A process of another environment."""

    def __init__(self, python: str, *given: Any) -> None:
        self.python = python
        super().__init__(*given)

    def _command(self) -> list[str]:
        return [self.python, *super()._command()[1:]]


class Other(Side):
    """A queue of bench/peers. After a colon its name says of which variant it is."""

    def __init__(self, name: str, ledger: str, broker: Valkey, database: int, marks: Path) -> None:
        super().__init__(broker, database, marks)
        self.name, (self._module, _, variant) = name.replace(":", " "), name.partition(":")
        self._python = _python(self._module)
        given = {"BENCH_BROKER": self.broker_url, "BENCH_LEDGER": ledger, "BENCH_VARIANT": variant, "PYTHONPATH": str(ROOT)}
        self._variables = {**os.environ, **given, "FLOWER_UNAUTHENTICATED_API": "true", "PYTHONWARNINGS": "ignore"}
        self.port = free_port()
        self._agent = Agent(self._python, self._module, self._variables)
        self._facts = self._agent.ask("facts", self.port)
        self._agent.end()  # until it is its turn
        self.does, self.slow = frozenset(self._facts["does"]), self._facts["slow"]
        self.version = {self._module: self._facts["version"]}
        if self._facts["door"]:
            command, self._path = self._facts["door"]
            self.api = self._part(f"{self._module}-api", command, 10, self.answers)

    def request(self, at: float = 0.0) -> bytes:
        """A job, as bytes for the door."""
        body = self.body(at)
        return post(self._path, {"args": [*body.values()]} if self._facts["listed"] else body)

    def send(self, kind: Kind, count: int) -> float:
        return float(self._agent.ask("send", kind, str(self.marks), count))

    def workers(self, kind: Kind, slots: int) -> list[Part]:
        commands = self._agent.ask("workers", kind, slots)
        parts = [self._part(f"{self._module}{number}", command, slots) for number, command in enumerate(commands)]
        scheduler = self._facts["scheduler"]
        return [*parts, self._part(f"{self._module}-scheduler", scheduler, slots)] if scheduler else parts

    def shut(self) -> None:
        super().shut()
        self._agent.end()

    def wipe(self) -> None:
        super().wipe()
        self._agent.ask("wipe")

    def check(self, count: int) -> None:
        """Every job's outcome is stored."""
        found = self._agent.ask("stored", count)
        assert found >= count, f"{found} outcomes of {count} are stored"

    def _part(self, name: str, command: list[str], slots: int, *answers: Any) -> Part:
        return _Process(self._python, name, command, self._variables | {"BENCH_SLOTS": str(slots)}, *answers)


def _python(module: str) -> str:
    return sys.executable if module in OURS else str(HOMES / module / "bin" / "python")


def is_installed(name: str) -> bool:
    """Whether the queue can be measured."""
    return Path(_python(name.partition(":")[0])).exists()
