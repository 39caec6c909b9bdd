"""What `treadle up` says. Every line that is meant to be copied is printed whole."""

import json
import shlex
import sys
import time
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from cli.show import COLOURS, span
from cli.up import demo
from cli.up.plan import PRIVATE, Plan
from cli.up.stack import USER


class _Terminal(Console):
    """Standard output; that nobody reads it any more is no reason to leave the processes alone."""

    def on_broken_pipe(self) -> None:
        """Go on without it."""
        self.quiet = True


class Report:
    """The lines of one run."""

    def __init__(self) -> None:
        self._out = _Terminal(highlight=False, markup=False, emoji=False)
        self._start = time.monotonic()

    def _line(self, *parts: str | tuple[str, str]) -> None:
        self._out.print(Text.assemble(*parts), soft_wrap=True)

    def _row(self, name: str, *parts: str | tuple[str, str]) -> None:
        self._line(("  " + name.ljust(11), "bold"), *parts)

    @property
    def elapsed(self) -> str:
        """Time since the start."""
        return span(time.monotonic() - self._start)

    def opening(self, plan: Plan) -> None:
        """Before anything starts."""
        self._line(("Treadle", "bold"), f" starts in {plan.home.shown}")
        for note in plan.notes:
            self._line(("  ! ", "yellow"), note)

    def busy(self, what: str) -> AbstractContextManager[object]:
        """Show on a terminal that we wait, and for what."""
        return self._out.status(Text(f"{what} …", style="dim"))

    def ready(self, name: str, what: str) -> None:
        """A part is up."""
        self._line(("  ✓ ", "green"), (name.ljust(9), "bold"), f" {what}  ", (self.elapsed, "dim"))

    def first_job(self, job: dict[str, Any]) -> None:
        """What became of the first job."""
        self._line()
        self._line(("First job", "bold"), "  a call to an endpoint on this machine that refuses it once")
        for at, what, text, state in demo.story(job):
            self._line(f"  {at:6.2f} s  ", (f"{what:<10}", COLOURS.get(state, "")), f" {text}")

    def no_first_job(self) -> None:
        """It could not work."""
        self._line()
        self._line("No first job: it would call this machine, and ", (PRIVATE, "bold"), " forbids that.")

    def addresses(self, plan: Plan) -> None:
        """Where everything is."""
        self._line()
        self._line(("Open", "bold"))
        self._row("API", f"{plan.api}/docs")
        if plan.flower:
            self._row("Flower", f"{plan.flower}  as {USER}, password {plan.kept['flower_password']}")
        if plan.sandbox:
            self._row("sandbox", f"{plan.sandbox}/  what providers were told: mails, calls, webhooks")
        self._row("metrics", "  ".join(plan.scrapes))
        self._row("key", plan.kept["key"], (f"  (also in {plan.home.shown / 'up.json'})", "dim"))

    def lines_to_paste(self, plan: Plan, job_id: str | None) -> None:
        """Requests that work as printed: they call an endpoint that lives as long as we do."""
        hook = f"http://127.0.0.1:{plan.hook_port}/hook"
        job = {"task": "http.request", "payload": {"method": "POST", "url": hook, "json": {"hello": "treadle"}}}
        schedule = {"name": "every-minute", "every": "1m", **job}
        self._line()
        self._line(("Paste", "bold"))
        self._paste("for the guide, docs/api.md", f"export URL={plan.api} KEY={plan.kept['key']} HOOK={hook}")
        self._curl("submit a job", plan, "/v1/jobs", job)
        if job_id:
            self._curl("look at one", plan, f"/v1/jobs/{job_id}")
        self._curl("list them", plan, "/v1/jobs?limit=5")
        self._curl("one every minute", plan, "/v1/schedules", schedule)
        for label, wanted in demo.sandbox_jobs() if plan.sandbox else ():
            self._curl(label, plan, "/v1/jobs", wanted)
        home = "" if plan.home.shown == Path(".treadle") else f" --home {shlex.quote(str(plan.home.shown))}"
        self._paste("or without curl", f"{_ourselves()} jobs list{home}")

    def _curl(self, label: str, plan: Plan, path: str, body: dict[str, Any] | None = None) -> None:
        where = shlex.quote(plan.api + path)
        sent = f" -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(body))}" if body else ""
        self._paste(label, f"curl -s {where} -H 'Authorization: Bearer {plan.kept['key']}'{sent}")

    def _paste(self, label: str, line: str) -> None:
        self._line((f"  {label}", "dim"))
        self._line(f"  {line}")

    def closing(self, plan: Plan, processes: int, memory: int | None) -> None:
        """All is up."""
        held = f", {memory / 1e6:.0f} MB" if memory else ""
        self._line()
        self._line(
            ("Up", "bold green"),
            f" after {self.elapsed}: {processes} processes{held}. Ctrl-C finishes what runs and stops.",
        )

    def news(self, text: str) -> None:
        """Something happened to a process."""
        self._line((datetime.now().astimezone().strftime("%H:%M:%S  "), "dim"), text)

    def stopping(self, why: str = "") -> None:
        """The drain begins."""
        self._line()
        self._line(f"{why}Finishing what runs; Ctrl-C again stops at once …")

    def stopped(self, plan: Plan) -> None:
        """Nothing runs any more."""
        self._line(f"Stopped. The jobs are kept: {plan.database}.")


def _ourselves() -> str:
    """How we were called."""
    script = Path(sys.argv[0])
    return shlex.quote(str(script)) if script.name == "treadle" else f"{shlex.quote(sys.executable)} -m cli"
