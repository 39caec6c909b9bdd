"""`treadle jobs change | replay | send-many`: other ways in, and another time, priority or payload."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import given, show
from cli.complaint import Complaint
from cli.jobs import JobId, Text, say_state
from cli.remote import Door, remote


@remote
def change(
    door: Door,
    job_id: JobId,
    delay: Annotated[Text, typer.Option(help='From now: "30s", "2h"; "0s" is now.')] = None,
    run_at: Annotated[Text, typer.Option(help="Not before this time (RFC 3339).")] = None,
    priority: Annotated[Text, typer.Option(help="low, normal, high or critical.")] = None,
) -> None:
    """Give a job that waits another time or priority."""
    body = given.without_empty(delay=delay, run_at=run_at, priority=priority)
    door.show(door.ask("PATCH", "/v1/jobs/{}", job_id, body=body), say_state)


@remote
def replay(
    door: Door,
    job_id: JobId,
    patch: Annotated[str, typer.Argument(help="JSON Merge Patch of the payload: JSON, @FILE, or -.")] = "{}",
) -> None:
    """Make a new job from one that is final, with an edited payload; the old one stays."""
    edited = given.json_value(patch, "patch")
    made = door.ask("POST", "/v1/jobs/{}/replay", job_id, body=edited, kind="application/merge-patch+json")
    door.show(made, lambda found: show.line(found["id"]))


@remote
def send_many(
    door: Door,
    file: Annotated[Path, typer.Argument(help="NDJSON: a job a line.", exists=True, dir_okay=False, allow_dash=True)],
    atomic: Annotated[bool, typer.Option("--atomic", help="All or none.")] = False,
    idempotency_key: Annotated[Text, typer.Option(help="Sent again with it, only what was not made is made.")] = None,
) -> None:
    """Submit up to 10,000 jobs at once; exit code 1 if any was refused."""
    content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    params = {"atomic": "true"} if atomic else None
    answer = door.ask("POST", "/v1/jobs/bulk", body=content, params=params, key=idempotency_key, kind="application/x-ndjson")
    door.show(answer, lambda found: show.line(f"{found['accepted']} accepted, {found['refused']} refused"))
    if answer["refused"]:
        refused = ((line, result["problem"]) for line, result in enumerate(answer["results"], 1) if result.get("problem"))
        raise Complaint("Some were refused:", [f"job {line}: {problem['detail']}" for line, problem in refused][:20])
