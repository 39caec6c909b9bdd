"""`treadle dead`: the jobs that failed for good, and what can be done about many of them."""

import time
from typing import Annotated, Any

import typer
from rich.progress import Progress

from cli import given, show
from cli.remote import Door, remote

app = typer.Typer(help="See the jobs that failed for good; retry them.", no_args_is_help=True)

Text = str | None
Task = Annotated[Text, typer.Option(help="Only of this task.")]
Queue = Annotated[Text, typer.Option(help="Only of this queue.")]
Error = Annotated[Text, typer.Option(help="Only with this class of error.")]
Tag = Annotated[list[str] | None, typer.Option(help="Only with this tag; may be given more than once.")]


@app.command("list")
@remote
def list_(
    door: Door,
    task: Task = None,
    queue: Queue = None,
    error: Error = None,
    tag: Tag = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
) -> None:
    """List dead letters, the newest first."""
    filters = given.without_empty(task=task, queue=queue, error_class=error, tags=tag)
    door.show(door.ask("GET", "/v1/jobs", params=filters | {"state": "failed", "limit": limit}), _show_page)


@app.command()
@remote
def retry(
    door: Door,
    task: Task = None,
    queue: Queue = None,
    error: Error = None,
    tag: Tag = None,
    rate: Annotated[float | None, typer.Option(min=1, help="Jobs a second, at most.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Retry all dead letters that are meant: how many first, then with a bar."""
    filters = given.without_empty(task=task, queue=queue, error_class=error, tags=tag)
    body = given.without_empty(verb="retry", filter=filters, rate=rate)
    meant = door.ask("POST", "/v1/bulk-actions", params={"preview": "true"}, body=body)
    if not yes:
        typer.confirm(f"Retry {'' if meant['exact'] else 'at least '}{meant['count']} jobs?", abort=True, err=True)
    door.show(_follow(door, door.ask("POST", "/v1/bulk-actions", body=body)), _say)


def _follow(door: Door, action: dict[str, Any]) -> dict[str, Any]:
    with Progress(console=show.console(), disable=door.as_json or not show.console().is_terminal) as bars:
        bar = bars.add_task("retry", total=action["expected"])
        while action["state"] == "running":
            time.sleep(0.5)
            action = door.ask("GET", "/v1/bulk-actions/{}", action["id"])
            bars.update(bar, completed=action["done"] + action["skipped"])
    return action


def _show_page(page: dict[str, Any]) -> None:
    rows = [
        (
            job["id"],
            job["task"],
            job["reason"],
            (job["error"] or {}).get("class"),
            (job["error"] or {}).get("message"),
            show.when(job["finished_at"]),
        )
        for job in page["jobs"]
    ]
    show.table(("ID", "TASK", "WHY", "ERROR", "", "FAILED"), rows, empty="No dead letters.")
    if page.get("next_cursor"):
        show.line("There are more.")


def _say(action: dict[str, Any]) -> None:
    show.line(f"{action['done']} retried, {action['skipped']} skipped, {action['state']}")
