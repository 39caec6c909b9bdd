"""`treadle up`: start, show that it works, stay, stop."""

import os
from pathlib import Path
from typing import Annotated

import typer

from cli import processes
from cli.up import demo
from cli.up.catcher import Catcher
from cli.up.home import Home
from cli.up.memory import cost
from cli.up.plan import API_PORT, FLOWER_PORT, PRIVATE, Asked, Plan, settle
from cli.up.report import Report
from cli.up.stack import Stack
from cli.up.supervisor import Stopped, Supervisor

START = 60.0
"""Seconds a process gets to come up on a slow machine."""


def up(
    home: Annotated[Path, typer.Option(envvar="TREADLE_HOME", help="Folder of the data and logs.")] = Path(".treadle"),
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the API.", show_default=f"{API_PORT} or the next free")
    ] = None,
    flower_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of Flower; 0: none.", show_default=f"{FLOWER_PORT} or the next free"),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Jobs at once in each.", show_default="TREADLE_WORKER_THREADS")
    ] = None,
    cpu_workers: Annotated[int, typer.Option(min=0, max=64, help="Processes for the queue cpu alone.")] = 0,
    small: Annotated[bool, typer.Option("--small", help="No process for the scheduler: the first worker is it.")] = False,
    database_url: Annotated[
        str | None,
        typer.Option(envvar="TREADLE_DATABASE_URL", help="postgresql://…", show_default="SQLite in the home"),
    ] = None,
    broker_url: Annotated[
        str | None,
        typer.Option(envvar="TREADLE_BROKER_URL", help="redis://… of your own.", show_default="Valkey in the home"),
    ] = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Accounts for all providers, played on this machine.")] = False,
    exit_: Annotated[bool, typer.Option("--exit", help="Stop once the first job has finished.")] = False,
) -> None:
    """Start everything on this machine, run a first job, and stay up."""
    asked = Asked(home, port, flower_port, workers, threads, cpu_workers, small, database_url, broker_url, sandbox, exit_)
    place = Home(home)
    place.hold()
    try:
        code = Run(settle(asked, place)).whole()
    finally:
        place.release()
    raise typer.Exit(code)


class Run:
    """One `treadle up` from start to end."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.report = Report()
        self.supervisor = Supervisor(self.report.news)
        self.stack = Stack(plan)
        self.catcher = Catcher(plan.hook_port)

    def whole(self) -> int:
        """Everything. Whatever happens, nothing is left running.

        Returns:
            The exit code: with --exit it says whether the first job succeeded, else whether we came up.
        """
        self.supervisor.listen()
        self.report.opening(self.plan)
        code = 1
        try:
            self._start()
            succeeded = self._first_job()
            code = 0 if succeeded or not self.plan.asked.exit else 1
            if not self.plan.asked.exit:
                self.supervisor.watch()
        except Stopped:
            code = 130
        finally:
            self._stop()
        return code

    def _start(self) -> None:
        with self.report.busy("database and broker start"):
            self._start_ground()
        with self.report.busy("the processes start"):
            self._start_processes()
        self.catcher.open()
        self.stack.write_up()
        self.supervisor.on_change = self.stack.write_up

    def _start_ground(self) -> None:
        plan, stack = self.plan, self.stack
        if stack.broker:
            self.supervisor.start(stack.broker)
        if stack.sandbox:
            plan.accounts.unlink(missing_ok=True)
            self.supervisor.start(stack.sandbox)
        stack.run("migrate")
        self.report.ready("database", plan.database)
        self.supervisor.wait_until(stack.broker_is_ready, START, "The broker")
        self.report.ready("broker", plan.broker)
        if plan.sandbox:
            self.supervisor.wait_until(stack.sandbox_is_ready, START, "The sandbox")
            self.report.ready("sandbox", plan.sandbox)

    def _start_processes(self) -> None:
        plan, stack, wait = self.plan, self.stack, self.supervisor.wait_until
        self.supervisor.start(stack.api, *stack.working, *([stack.flower] if stack.flower else []))
        key = plan.kept.get("key") or self._make_key()
        wait(stack.api_is_ready, START, "The API")
        plan.kept["key"] = key if stack.key_works(key) else self._make_key()
        plan.home.keep(plan.kept)
        self.report.ready("api", plan.api)
        wait(lambda: stack.api_is_ready(len(stack.workers)) and all(map(stack.serves, stack.workers)), START, "A worker")
        self.report.ready("worker", ", ".join(worker.name for worker in stack.workers))
        wait(lambda: all(map(stack.serves, stack.working)), START, "The scheduler")
        self.report.ready("scheduler", "looks every second" if stack.scheduler else f"in {stack.workers[0].name}")
        if plan.flower:
            wait(stack.flower_is_ready, START, "Flower")
            self.report.ready("flower", plan.flower)

    def _make_key(self) -> str:
        return self.stack.run("keys", "create", "treadle up", "--scope", "admin")

    def _first_job(self) -> bool:
        plan, job = self.plan, None
        if processes.is_on(PRIVATE):
            client = self.stack.client(plan.kept["key"])
            job = demo.submit(client, self.catcher)
            job = demo.follow(client, job["id"], self.supervisor.wait_until)
            self.report.first_job(job)
        else:
            self.report.no_first_job()
        if not plan.asked.exit:
            self.report.addresses(plan)
            self.report.lines_to_paste(plan, job["id"] if job else None)
            running = [service.pid for service in self.stack.all]
            self.report.closing(plan, len(running) + 1, cost([*running, os.getpid()]))
        return job is not None and job["state"] == "succeeded"

    def _stop(self) -> None:
        self.plan.home.down()
        try:
            if self.supervisor.stops:
                self.report.stopping()
            self.supervisor.drain(self.stack.stages)
            self.report.stopped(self.plan)
        finally:
            self.supervisor.kill()
            self.supervisor.close()
            self.catcher.close()
