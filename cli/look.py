"""`treadle jobs why | timeline | tail`: what a job waits for, what happened to it, and what happens now."""

from typing import Any

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cli import show
from cli.complaint import Complaint
from cli.jobs import JobId
from cli.remote import Door, remote
from client import FINAL


@remote
def why(door: Door, job_id: JobId) -> None:
    """Say what a job waits for, and until when if that is known."""
    door.show(door.ask("GET", "/v1/jobs/{}/why", job_id), _show_causes)


@remote
def timeline(door: Door, job_id: JobId) -> None:
    """Tell what happened to a job, oldest first."""
    door.show(door.ask("GET", "/v1/jobs/{}/timeline", job_id), _show_moments)


@remote
def tail(door: Door, job_id: JobId) -> None:
    """Follow what happens to a job, line by line, to its end; exit code 1 unless it succeeded."""
    state = ""
    with _bars() as bars:
        bar: TaskID | None = None
        for told in door.follow("/v1/jobs/{}/events", job_id):
            kind, event = told.kind, told.data
            if kind == "job":
                state = event["state"]
            elif door.as_json:
                show.as_json({"event": kind, **event})
            elif kind == "progress":
                bar = bar if bar is not None else bars.add_task("", total=None)
                bars.update(bar, completed=event["done"], total=event["total"], description=event["note"])
            else:
                bars.console.print(f"{event['at']}  {kind:<8}  {_told(kind, event)}", highlight=False, markup=False)
    if state in FINAL - {"succeeded"}:
        raise Complaint(f"The job {state}.")


def _bars() -> Progress:
    """Bars for a person to see; a pipe or a file gets lines only."""
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
    return Progress(*columns, console=show.console(), disable=not show.console().is_terminal)


def _told(kind: str, event: dict[str, Any]) -> str:
    match kind:
        case "started":
            return f"attempt {event['attempt']} on {event['worker']}"
        case "ended":
            error = (event.get("error") or {}).get("message")
            return f"attempt {event['attempt']}: {event['outcome']}{f': {error}' if error else ''}"
        case "finished":
            return f"{event['state']}{' (' + event['reason'] + ')' if event['reason'] else ''}"
    return f"{event.get('level', '')}  {event.get('message', '')}"


def _show_causes(answer: dict[str, Any]) -> None:
    for cause in answer["causes"]:
        until = f" Until {cause['until']} ({show.when(cause['until'])})." if cause["until"] else ""
        show.line(f"{cause['detail']}{until}")


def _show_moments(answer: dict[str, Any]) -> None:
    rows = [(moment["at"], moment["what"], moment["attempt"] or "", _said(moment["detail"])) for moment in answer["moments"]]
    show.table(("AT", "WHAT", "TRY", "DETAIL"), rows, empty="Nothing happened.")


def _said(detail: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in detail.items() if value not in (None, "", {}))
