"""`treadle stream`: what happens to all jobs, as it happens."""

from typing import Annotated

import typer

from cli import filters, given, show
from cli.remote import Door, remote

Tag = Annotated[str | None, typer.Option(help="Only with this tag.")]


@remote
def stream(
    door: Door,
    state: Annotated[str | None, typer.Option(help="Only moves into this state.")] = None,
    task: filters.Task = None,
    queue: filters.Queue = None,
    account: filters.Account = None,
    tag: Tag = None,
    lines: Annotated[bool, typer.Option("--lines", help="What tasks say, too.")] = False,
) -> None:
    """Follow what happens to all jobs, from now on, until Ctrl-C."""
    wanted = {"state": state, "task": task, "queue": queue, "account": account, "tag": tag}
    params = given.without_empty(**wanted, lines="true" if lines else None)
    for told in door.follow("/v1/stream", params=params):
        event = told.data
        if door.as_json:
            show.as_json({"event": told.kind, **event})
        elif told.kind == "gap":
            show.line(event["detail"])
        else:
            said = event.get("message") or event.get("note") or f"{event.get('was') or 'new'} → {event.get('state')}"
            show.line(f"{event['at']}  {event['job_id']}  {event['task']}  {said}")
