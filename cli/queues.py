"""`treadle queues`: the lanes, how full they are, and stopping one."""

from typing import Annotated, Any

import typer

from cli import show
from cli.remote import Door, remote

app = typer.Typer(help="See how full the queues are; pause and resume them.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The queue's name.", show_default=False)]


@app.command("list")
@remote
def list_(door: Door) -> None:
    """List the queues."""
    door.show(door.ask("GET", "/v1/queues"), _show_all)


@app.command()
@remote
def pause(door: Door, name: Name) -> None:
    """Stop starting jobs of a queue. It is stored: no restart undoes it."""
    door.show(door.ask("POST", "/v1/queues/{}/pause", name), lambda _: show.line(f"{name} is paused"))


@app.command()
@remote
def resume(door: Door, name: Name) -> None:
    """Start jobs of a queue again."""
    door.show(door.ask("POST", "/v1/queues/{}/resume", name), lambda _: show.line(f"{name} is open"))


def _show_all(answer: dict[str, Any]) -> None:
    rows = []
    for queue in answer["queues"]:
        oldest = queue["oldest_ready_seconds"]
        rows.append(
            (
                queue["name"],
                show.state("paused" if queue["paused"] else "open"),
                *(str(queue[count]) for count in ("scheduled", "queued", "running")),
                show.span(oldest) if oldest else "–",
            )
        )
    show.table(("QUEUE", "", "SCHEDULED", "QUEUED", "RUNNING", "OLDEST READY"), rows, empty="No queues.")
