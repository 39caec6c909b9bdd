"""The command line of each process: `treadle up` supervises them, `treadle api|worker|beat` become them."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn


@dataclass(frozen=True)
class Command:
    """What to execute, and the variables it gets beside those of the caller."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """All its variables. The one place besides runtime.settings that sees the environment: it hands it on."""
        return {**os.environ, **self.env}  # noqa: TID251

    def become(self) -> NoReturn:
        """Replace this process, so that signals reach the command itself."""
        os.execve(self.argv[0], list(self.argv), self.environment())  # noqa: S606 - our own interpreter


def is_set(variable: str) -> bool:
    """Whether the user has set a variable, so that a default of ours must not."""
    return variable in os.environ  # noqa: TID251


def given(*beginnings: str) -> list[str]:
    """The variables of the user's whose names begin so."""
    return sorted(name for name in os.environ if name.upper().startswith(beginnings))  # noqa: TID251


def is_on(variable: str, *, otherwise: bool = True) -> bool:
    """Whether the user has switched a setting on; `otherwise` if nothing was said."""
    said = os.environ.get(variable)  # noqa: TID251
    return otherwise if said is None else said.strip().lower() in {"1", "true", "t", "yes", "y", "on"}


def _python(module: str, *arguments: str, **env: str) -> Command:
    return Command((sys.executable, "-m", module, *arguments), env)


def treadle(*arguments: str) -> Command:
    """Another command of ours."""
    return _python("cli", *arguments)


def api(host: str, port: int) -> Command:
    """The API. Requests in flight get ten seconds when it stops."""
    return _python(
        "uvicorn", "api.app:app", "--host", host, "--port", str(port),
        "--no-access-log",  # the API logs each request itself, with its id
        "--no-proxy-headers",  # the API itself believes the proxies that TREADLE_TRUSTED_PROXIES names
        "--no-server-header", "--timeout-graceful-shutdown", "10",
    )  # fmt: skip


def worker(
    name: str,
    *,
    pool: str = "threads",
    concurrency: int | None = None,
    queues: str | None = None,
    exclude: str | None = None,
    beat: bool = False,
    metrics: Path | None = None,
) -> Command:
    """A worker. `beat`: it is the scheduler as well. `metrics`: where the children of a prefork pool leave their figures."""
    arguments = ["--name", name]
    for option, value in (("--concurrency", concurrency), ("--queues", queues), ("--exclude", exclude)):
        arguments += [option, str(value)] if value is not None else []
    arguments += ["--beat"] if beat else []
    folder = {"PROMETHEUS_MULTIPROC_DIR": str(metrics)} if metrics else {}
    return _python("workers", *arguments, TREADLE_WORKER_POOL=pool, **folder)


def beat() -> Command:
    """The scheduler."""
    return _python("scheduler")


def sandbox(port: int, smtp_port: int, accounts: Path) -> Command:
    """The stand-ins of all providers; the accounts that lead to them go into a file."""
    return _python("cli.sandbox", str(port), str(smtp_port), str(accounts))


def flower(port: int, user: str, password: str) -> Command:
    """Flower. The password goes by the environment: the process list shows every argument to everybody."""
    return _python(
        "celery", "-A", "runtime.broker:app", "flower", "--address=127.0.0.1", f"--port={port}",
        "--max-tasks=5000",  # kept in memory; the ledger has the full history
        FLOWER_BASIC_AUTH=f"{user}:{password}",
    )  # fmt: skip
