"""One supervised process: started, watched, started again when it dies, stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cli.processes import Command

LOG_LIMIT = 5_000_000
"""Bytes; a longer log is put aside as NAME.log.1 when its process starts."""


@dataclass
class Backoff:
    """How long to wait before a process that died is started again: twice as long each time, until one lives a while."""

    first: float = 0.2
    most: float = 10.0
    steady: float = 30.0
    deaths: int = 0

    def after(self, lived: float) -> float:
        """The wait after a life of so many seconds."""
        self.deaths = 1 if lived >= self.steady else self.deaths + 1
        return min(self.most, self.first * 2.0 ** min(self.deaths - 1, 30))


class Service:
    """A process by name. All times are those of one monotonic clock, given by the caller."""

    def __init__(self, name: str, command: Callable[[], Command], log: Path, grace: float) -> None:
        self.name = name
        self.log = log
        self.grace = grace  # seconds between asking it to stop and killing it
        self.stop_with = signal.SIGTERM
        self.backoff = Backoff()
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._due_at: float | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def due_at(self) -> float | None:
        """When it will be started again; None while it runs."""
        return self._due_at

    def start(self, now: float) -> None:
        """Start the process, in a group of its own: Ctrl-C reaches the supervisor only, which stops all in order."""
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        command = self._command()
        leashed = [sys.executable, "-m", "cli.up.leash", str(os.getpid()), *command.argv]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own processes
                leashed,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=command.environment(),
                process_group=0,
            )
        self._started_at, self._due_at = now, None

    def tend(self, now: float) -> str | None:
        """Start it if it is due. If it has died since the last look: how, in words, and when it starts again."""
        if self._due_at is not None and now >= self._due_at:
            self.start(now)
        if self._process is None or (code := self._process.poll()) is None:
            return None
        self._sweep()
        wait = self.backoff.after(now - self._started_at)
        self._process, self._due_at = None, now + wait
        where = f"; see {self.log}" if self.backoff.deaths > 1 else ""
        return f"{self.name} {_how(code)}, starts again in {wait:g} s{where}"

    def ask_to_stop(self) -> None:
        """Let it finish what runs, then end."""
        self._due_at = None
        if self._process:
            self._process.send_signal(self.stop_with)

    def has_ended(self) -> bool:
        """Whether the process is gone; what it left of its group is swept away."""
        if self._process is None:
            return True
        if self._process.poll() is None:
            return False
        self._sweep()
        self._process = None
        return True

    def kill(self) -> None:
        """End it at once, with its children."""
        if self._process:
            self._sweep()
            self._process.wait()
            self._process = None

    def _sweep(self) -> None:
        """Kill what is left of the process group: a killed prefork worker leaves its children."""
        if self._process:
            with suppress(ProcessLookupError, PermissionError):  # PermissionError: what macOS says of a group of zombies
                os.killpg(self._process.pid, signal.SIGKILL)

    def last_words(self, lines: int = 12) -> list[str]:
        """The end of its log."""
        with suppress(OSError):
            return self.log.read_text(errors="replace").splitlines()[-lines:]
        return []


def _how(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
