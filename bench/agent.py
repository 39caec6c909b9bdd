"""A process in the environment of another queue, that is asked things: see bench/peers/__main__.py."""

import json
import os
import select
import signal
import subprocess
from contextlib import suppress
from typing import Any

from tests.laboratory import ROOT

PATIENCE = 120  # seconds for an answer


class Agent:
    """Starts when it is first asked. Ends with this process too: its input does."""

    def __init__(self, python: str, module: str, variables: dict[str, str]) -> None:
        self._command, self._module, self._variables = [python, "-m", "bench.peers", module], module, variables
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, *question: object) -> Any:
        """The answer.

        Raises:
            RuntimeError: it could not, or not in time.
        """
        if self._process is None:
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                self._command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=self._variables, cwd=ROOT,
                start_new_session=True,
            )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        said = json.loads(self._process.stdout.readline() or b"{}") if ready else {}
        if "answer" not in said:
            self.end()
            raise RuntimeError(f"{self._module} failed at {question[0]}: {said.get('error', 'no answer')}")
        return said["answer"]

    def end(self) -> None:
        """End it, and what it is doing."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            self._process = None
