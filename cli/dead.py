"""`treadle dead`: the jobs that failed for good, and what can be done about one or many of them."""

from typing import Annotated, Any

import typer

from cli import actions, given, show
from cli.filters import Wanted, filtered
from cli.jobs import JobId, show_job
from cli.remote import Door, remote

app = typer.Typer(help="See the jobs that failed for good; retry or replay them.", no_args_is_help=True)

_narrowed = filtered("task", "queue", "error", "tag")


@app.command("list")
@remote
@_narrowed
def list_(
    door: Door,
    wanted: Wanted,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
) -> None:
    """List dead letters, the newest first."""
    door.show(door.ask("GET", "/v1/jobs", params=wanted | {"state": "failed", "limit": limit}), _show_page)


@app.command("show")
@remote
def show_(door: Door, job_id: JobId) -> None:
    """Show a dead letter: its payload, every attempt, and its log."""
    door.show(door.ask("GET", "/v1/jobs/{}", job_id), show_job)


@app.command()
@remote
@_narrowed
def retry(
    door: Door,
    wanted: Wanted,
    rate: actions.Rate = None,
    dry: actions.Dry = False,
    yes: actions.Yes = False,
) -> None:
    """Retry all dead letters that are meant: how many first, then with a bar."""
    actions.carry_out(door, given.without_empty(verb="retry", filter=wanted, rate=rate), dry=dry, yes=yes)


@app.command()
@remote
def replay(
    door: Door,
    job_id: JobId,
    patch: Annotated[str, typer.Argument(help="JSON Merge Patch of the payload: JSON, @FILE, or -.")] = "{}",
    dry: Annotated[bool, typer.Option("--dry", help="Only show what would be sent.")] = False,
    yes: actions.Yes = False,
) -> None:
    """Send a dead letter again as a new job, with an edited payload: shown first. To try the same again, `dead retry`."""
    edited = given.json_value(patch, "patch")
    dead = door.ask("GET", "/v1/jobs/{}", job_id)
    if dry or not (yes or door.as_json):
        preview = {"task": dead["task"], "payload": dead["payload"], "patch": edited}
        door.show(preview, lambda shown: _show_preview(dead, shown))
    if dry:
        return
    if not yes:
        typer.confirm("Replay it?", abort=True, err=True)
    made = door.ask("POST", "/v1/jobs/{}/replay", job_id, body=edited, kind="application/merge-patch+json")
    door.show(made, lambda found: show.line(found["id"]))


def _show_preview(dead: dict[str, Any], preview: dict[str, Any]) -> None:
    error = dead["error"] or {}
    show.fields([("failed", f"{error.get('class')}: {error.get('message')}"), *preview.items()])


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
