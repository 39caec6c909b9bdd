"""The processes of `treadle up`: which there are, when one is ready, in which order they stop."""

import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from signal import SIGKILL
from typing import Any

from cli import processes
from cli.client import Client, Refused, Unreachable
from cli.complaint import Complaint
from cli.processes import Command
from cli.up import valkey
from cli.up.plan import Plan, worker_names
from cli.up.ports import answers
from cli.up.service import Service

USER = "treadle"  # in Flower
DRAIN = 25.0
"""Seconds a worker gets: five more than it gives its jobs."""


class Stack:
    """All processes of one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._clients: dict[str, Client] = {}
        self.broker: Service | None = None
        if plan.broker_port:
            binary = valkey.server()
            self.broker = self._service(
                "broker", lambda: valkey.command(binary, plan.home, plan.broker_port, plan.kept["broker_password"]), 10
            )
        self.api = self._service("api", lambda: processes.api("127.0.0.1", plan.api_port), 12)
        self.scheduler = None if plan.asked.small else self._service("scheduler", processes.beat, DRAIN)
        self.workers = [self._worker(name) for name in worker_names(plan.asked)]
        self.sandbox = None
        if plan.sandbox_ports:
            ports = plan.sandbox_ports
            self.sandbox = self._service("sandbox", lambda: processes.sandbox(*ports, plan.accounts))
            self.sandbox.stop_with = SIGKILL  # what it keeps is in its memory
        self.flower = None
        if plan.flower_port:
            password = plan.kept["flower_password"]
            self.flower = self._service("flower", lambda: processes.flower(plan.flower_port, USER, password))
            self.flower.stop_with = SIGKILL  # it keeps nothing, and its threads may take seconds to hear of anything else

    def _service(self, name: str, command: Callable[[], Command], grace: float = 5) -> Service:
        def complete() -> Command:
            bare = command()
            return replace(bare, env={**self.plan.environment(name), **bare.env})

        return Service(name, complete, self.plan.home.log(name), grace)

    def _worker(self, name: str) -> Service:
        asked, home = self.plan.asked, self.plan.home
        if name.startswith("cpu"):
            return self._service(
                name,
                lambda: processes.worker(name, pool="prefork", concurrency=1, queues="cpu", metrics=home.fresh(name)),
                DRAIN,
            )
        exclude = "cpu" if asked.cpu_workers else None
        beat = asked.small and name == worker_names(asked)[0]
        return self._service(
            name, lambda: processes.worker(name, concurrency=asked.threads, exclude=exclude, beat=beat), DRAIN
        )

    @property
    def working(self) -> list[Service]:
        """The workers, and the scheduler if it is a process."""
        return [*self.workers, *([self.scheduler] if self.scheduler else [])]

    @property
    def all(self) -> list[Service]:
        """Every process, in the order in which they stop."""
        return [service for stage in self.stages for service in stage]

    @property
    def stages(self) -> list[list[Service]]:
        """First the door is closed, then what runs may finish, and what they stand on goes last."""
        last = [service for service in (self.flower, self.sandbox) if service]
        return [[self.api], self.working, last, [self.broker] if self.broker else []]

    def pids(self) -> dict[str, Any]:
        """The process ids, as `up.json` has them."""
        return {
            "api": self.api.pid,
            "worker": [worker.pid for worker in self.workers],
            "scheduler": (self.scheduler or self.workers[0]).pid,
            "flower": self.flower.pid if self.flower else None,
            "broker": self.broker.pid if self.broker else None,
            **({"sandbox": self.sandbox.pid} if self.sandbox else {}),
        }

    def broker_is_ready(self) -> bool:
        """Whether the embedded broker answers; one of the user's own is the workers' to wait for."""
        plan = self.plan
        return not self.broker or valkey.is_ready(plan.broker_port, plan.kept["broker_password"])

    def api_is_ready(self, workers: int = 0) -> bool:
        """Whether the API is up and its database answers; and that many workers have told the ledger that they live."""
        with suppress(Unreachable, Refused):
            return bool(self.client().ask("GET", "/readyz")["workers"] >= workers)
        return False

    def serves(self, service: Service) -> bool:
        """Whether a worker or the scheduler serves its figures: it does so once it runs."""
        return answers(self.plan.metrics[service.name])

    def sandbox_is_ready(self) -> bool:
        """Whether the sandbox listens, and its accounts can be read."""
        ports = self.plan.sandbox_ports
        return ports is not None and self.plan.accounts.exists() and all(map(answers, ports))

    def flower_is_ready(self) -> bool:
        """Whether Flower listens."""
        return answers(self.plan.flower_port)

    def client(self, key: str = "") -> Client:
        """A client of this API; one a key, since making one takes a while."""
        if key not in self._clients:
            self._clients[key] = Client(self.plan.api, key, patience=5)
        return self._clients[key]

    def key_works(self, key: str) -> bool:
        """Whether the API still knows a key."""
        try:
            self.client(key).ask("GET", "/v1/queues")
        except Refused as refused:
            return refused.status not in {401, 403}
        return True

    def run(self, *arguments: str) -> str:
        """Run one of our own commands to its end in a short-lived process; what it printed.

        Raises:
            Complaint: it failed; it says why.
        """
        command = replace(processes.treadle(*arguments), env=self.plan.environment())
        done = subprocess.run(  # noqa: S603
            command.argv,
            env=command.environment(),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for us to hear
        )
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()[-12:] or [f"exit code {done.returncode}"]
            raise Complaint(f"`treadle {' '.join(arguments)}` failed:", [line.removeprefix("treadle: ") for line in lines])
        return done.stdout.strip()

    def write_up(self) -> None:
        """Tell the world what runs."""
        plan = self.plan
        self.plan.home.up(
            {
                "api": plan.api,
                "key": plan.kept["key"],
                "flower": plan.flower,
                "flower_auth": f"{USER}:{plan.kept['flower_password']}" if plan.flower else None,
                "sandbox": plan.sandbox,
                "metrics": plan.scrapes,
                "hook": f"http://127.0.0.1:{plan.hook_port}/hook",
                "database_url": plan.database_url,
                "broker_url": plan.broker_url,
                "pids": self.pids(),
            }
        )
