"""`treadle jobs`: submit, look, cancel, retry."""

from typing import Annotated, Any

import typer

from cli import given, show
from cli.filters import Wanted, filtered
from cli.remote import Door, remote
from cli.show import console
from cli.watch import follow

app = typer.Typer(help="Submit jobs and see what became of them.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id.", show_default=False)]
Text = str | None


@app.command()
@remote
def submit(
    door: Door,
    task: Annotated[str, typer.Argument(help="What to do; `treadle tasks` lists all.")],
    payload: Annotated[str, typer.Argument(help="JSON, @FILE, or - for standard input.")] = "{}",
    queue: Annotated[Text, typer.Option(help="Instead of the task's own.")] = None,
    priority: Annotated[Text, typer.Option(help="low, normal, high or critical.")] = None,
    delay: Annotated[Text, typer.Option(help='Not before this long from now: "30s", "2h".')] = None,
    run_at: Annotated[Text, typer.Option(help="Not before this time (RFC 3339).")] = None,
    expires_at: Annotated[Text, typer.Option(help="Not started after this time (RFC 3339).")] = None,
    ttl: Annotated[Text, typer.Option(help='Not started so long after it may run: "1h".')] = None,
    unique: Annotated[Text, typer.Option(help="At most one job of this task with this key.")] = None,
    on_conflict: Annotated[Text, typer.Option(help="With --unique: return, reject, replace, extend or debounce.")] = None,
    timeout: Annotated[Text, typer.Option(help='Time limit of one attempt: "1m".')] = None,
    attempts: Annotated[int | None, typer.Option(help="At most so many attempts.")] = None,
    retry: Annotated[Text, typer.Option(help="The whole retry policy, as JSON.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="May be given more than once.")] = None,
    meta: Annotated[list[str] | None, typer.Option(help="name=value; may be given more than once.")] = None,
    idempotency_key: Annotated[Text, typer.Option(help="The same key again gives the same job.")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay until it has finished.")] = False,
) -> None:
    """Submit a job."""
    policy = given.json_value(retry, "retry policy") if retry else {}
    if attempts is not None and isinstance(policy, dict):
        policy["max_attempts"] = attempts
    body = given.without_empty(
        queue=queue, priority=priority, delay=delay, run_at=run_at, expires_at=expires_at, ttl=ttl, timeout=timeout,
        unique=given.without_empty(key=unique, on_conflict=on_conflict),
        retry=policy, tags=tag, metadata=given.pairs(meta or []),
    )  # fmt: skip
    body |= {"task": task, "payload": given.json_value(payload, "payload")}
    job = door.ask("POST", "/v1/jobs", body=body, key=idempotency_key)
    if watch:
        follow(door, job["id"])
    else:
        door.show(job, lambda found: show.line(found["id"]))


@app.command("get")
@remote
def get_(door: Door, job_id: JobId) -> None:
    """Show a job with its attempts and its log."""
    door.show(door.ask("GET", "/v1/jobs/{}", job_id), show_job)


@app.command("list")
@remote
@filtered()
def list_(
    door: Door,
    wanted: Wanted,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    cursor: Annotated[Text, typer.Option(help="Where the page before ended.")] = None,
) -> None:
    """List jobs, the newest first."""
    page = door.ask("GET", "/v1/jobs", params=wanted | given.without_empty(limit=limit, cursor=cursor))
    door.show(page, _show_page)


@app.command()
@remote
@filtered()
def count(door: Door, wanted: Wanted) -> None:
    """Count jobs, up to 10,000."""
    found = door.ask("GET", "/v1/jobs/count", params=wanted)
    door.show(found, lambda told: show.line(f"{'' if told['exact'] else 'at least '}{told['count']}"))


@app.command()
@remote
def cancel(door: Door, job_id: JobId) -> None:
    """Cancel a job; one that runs is asked to give way."""
    door.show(door.ask("POST", "/v1/jobs/{}/cancel", job_id), say_state)


@app.command("retry")
@remote
def retry_(door: Door, job_id: JobId) -> None:
    """Try a finished job again, with a new budget of attempts."""
    door.show(door.ask("POST", "/v1/jobs/{}/retry", job_id), say_state)


def show_job(job: dict[str, Any]) -> None:
    """A job on one page."""
    error = job.get("error") or {}
    show.fields(
        [
            ("job", job["id"]),
            ("task", f"{job['task']} on {job['queue']}, {job['priority']}"),
            ("state", show.state(job["state"])),
            ("why", job.get("reason")),
            ("attempt", f"{job['attempt']} of {job['max_attempts']}"),
            ("created", show.when(job["created_at"])),
            ("runs", show.when(job["run_at"]) if job["state"] == "scheduled" else None),
            ("finished", show.when(job["finished_at"]) if job["finished_at"] else None),
            ("payload", job.get("payload")),
            ("tags", job.get("tags")),
            ("metadata", job.get("metadata")),
            ("progress", job.get("progress")),
            ("result", job.get("result")),
            ("error", f"{error.get('class')}: {error.get('message')}" if error else None),
        ]
    )
    if job.get("attempts"):
        console().print()
        show.table(("#", "OUTCOME", "STARTED", "TOOK", "ERROR"), [_attempt(a) for a in job["attempts"]], empty="")
    for entry in job.get("log") or []:
        show.line(f"{entry['at']}  {entry['level']:<7}  {entry['message']}")


def _attempt(attempt: dict[str, Any]) -> tuple[Any, ...]:
    return (
        str(attempt["number"]),
        show.state(attempt["outcome"] or "running"),
        show.when(attempt["started_at"]),
        show.span(show.between(attempt["started_at"], attempt["finished_at"])),
        (attempt.get("error") or {}).get("message", ""),
    )


def _show_page(page: dict[str, Any]) -> None:
    rows = [
        (
            job["id"],
            job["task"],
            job["queue"],
            show.state(job["state"]),
            f"{job['attempt']}/{job['max_attempts']}",
            show.when(job["created_at"]),
        )
        for job in page["jobs"]
    ]
    show.table(("ID", "TASK", "QUEUE", "STATE", "TRY", "CREATED"), rows, empty="No jobs.")
    if page.get("next_cursor"):
        show.line(f"More: --cursor {page['next_cursor']}")


def say_state(job: dict[str, Any]) -> None:
    """What became of a job, in a line."""
    asked = " (asked to give way)" if job["state"] == "running" else ""
    show.line(f"{job['id']} is {job['state']}{asked}")
