"""What is asked of `treadle up`, settled before anything starts: addresses, ports, passwords."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli import processes
from cli.complaint import Complaint
from cli.up.home import Home
from cli.up.ports import HOST, Ports

API_PORT, FLOWER_PORT, SANDBOX_PORT = 8000, 5555, 8025
PRIVATE = "TREADLE_ALLOW_PRIVATE_TARGETS"
UNLESS_SET = {
    PRIVATE: "1",  # on a developer's machine the other side is on this machine
    "TREADLE_LOG_FORMAT": "text",  # a person reads HOME/logs
}
QUIET = {
    "MALLOC_ARENA_MAX": "2",  # glibc would keep an arena a thread: tens of megabytes
    "PYTHONUNBUFFERED": "1",  # a line is in the log when it happens
}


@dataclass(frozen=True)
class Asked:
    """The options as given; None is the default, where it matters."""

    home: Path
    port: int | None = None
    flower_port: int | None = None
    workers: int = 1
    threads: int | None = None
    cpu_workers: int = 0
    small: bool = False  # the first worker is the scheduler as well
    database_url: str | None = None
    broker_url: str | None = None
    sandbox: bool = False
    exit: bool = False


@dataclass
class Plan:
    """The options settled."""

    asked: Asked
    home: Home
    kept: dict[str, Any]
    database_url: str
    broker_url: str
    api_port: int
    flower_port: int  # 0: no Flower
    broker_port: int  # 0: a broker of the user's own
    hook_port: int
    sandbox_ports: tuple[int, int] | None  # of its page and its mail server
    metrics: dict[str, int]  # by process
    notes: list[str] = field(default_factory=list)

    @property
    def api(self) -> str:
        """The API's address."""
        return f"http://{HOST}:{self.api_port}"

    @property
    def database(self) -> str:
        """The database, for telling."""
        return without_password(self.asked.database_url or f"SQLite in {self.home.shown / 'treadle.db'}")

    @property
    def broker(self) -> str:
        """The broker, for telling."""
        return without_password(self.asked.broker_url or f"Valkey on {HOST}:{self.broker_port}, with append-only file")

    @property
    def flower(self) -> str | None:
        """Flower's address."""
        return f"http://{HOST}:{self.flower_port}" if self.flower_port else None

    @property
    def sandbox(self) -> str | None:
        """The address of the sandbox's page."""
        return f"http://{HOST}:{self.sandbox_ports[0]}" if self.sandbox_ports else None

    @property
    def accounts(self) -> Path:
        """The file of the accounts that lead to the sandbox."""
        return self.home.folder / "sandbox.json"

    @property
    def scrapes(self) -> list[str]:
        """Where Prometheus finds the figures."""
        ports = [self.api_port, *self.metrics.values()]
        return [f"http://{HOST}:{port}/metrics" for port in ports]

    def environment(self, process: str | None = None) -> dict[str, str]:
        """The settings of a child."""
        env = {
            **QUIET,
            "TREADLE_HOME": str(self.home.folder),
            "TREADLE_DATABASE_URL": self.database_url,
            "TREADLE_BROKER_URL": self.broker_url,
            "TREADLE_METRICS_PORT": str(self.metrics.get(process or "", 0)),
        }
        if self.sandbox_ports:
            env["TREADLE_ACCOUNTS_PATH"] = str(self.accounts)
        return env | {name: value for name, value in UNLESS_SET.items() if not processes.is_set(name)}


def settle(asked: Asked, home: Home) -> Plan:
    """Choose what was left open. A port that the user named must be free; of the others the next free one is taken."""
    kept, ports = home.recall(), Ports()
    last: dict[str, int] = kept["ports"]
    api = ports.near(API_PORT) if asked.port is None else ports.asked(asked.port, "--port")
    flower = ports.near(FLOWER_PORT) if asked.flower_port is None else asked.flower_port
    if asked.flower_port:
        ports.asked(asked.flower_port, "--flower-port")
    notes = []
    if asked.port is None and api != API_PORT:
        notes.append(f"port {API_PORT} is taken, the API is on {api}")
    if asked.flower_port is None and flower != FLOWER_PORT:
        notes.append(f"port {FLOWER_PORT} is taken, Flower is on {flower}")
    if not processes.is_set(PRIVATE):
        notes.append(f"jobs may call this machine and private networks here; {PRIVATE}=0 forbids it")
    broker = 0 if asked.broker_url else ports.any(last.get("broker"))
    names = [*([] if asked.small else ["scheduler"]), *worker_names(asked)]
    metrics = {name: ports.any(last.get(name)) for name in names}
    hook = ports.any(last.get("hook"))
    sandbox = _sandbox_ports(ports, last) if asked.sandbox else None
    kept["ports"] = {"broker": broker, "hook": hook, **metrics, **({"mail": sandbox[1]} if sandbox else {})}
    password = kept["broker_password"]
    return Plan(
        asked, home, kept,
        database_url=asked.database_url or f"sqlite:///{home.folder / 'treadle.db'}",
        broker_url=asked.broker_url or f"redis://:{password}@{HOST}:{broker}/0",
        api_port=api, flower_port=flower, broker_port=broker, hook_port=hook,
        sandbox_ports=sandbox, metrics=metrics, notes=notes,
    )  # fmt: skip


def _sandbox_ports(ports: Ports, last: dict[str, int]) -> tuple[int, int]:
    """Raises Complaint if accounts are given that would call somebody real from within a sandbox."""
    if theirs := processes.given("TREADLE_ACCOUNTS_", "TREADLE_SMTP_URL"):
        raise Complaint(f"--sandbox gives every provider an account that calls nobody real. Unset {', '.join(theirs)}.")
    return ports.near(SANDBOX_PORT), ports.any(last.get("mail"))


def worker_names(asked: Asked) -> list[str]:
    """The workers by name: those with threads, then those with processes."""
    return [f"worker-{n}" for n in range(1, asked.workers + 1)] + [f"cpu-{n}" for n in range(1, asked.cpu_workers + 1)]


def without_password(url: str) -> str:
    """An address that may be shown."""
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":…@") if parts.password else url
