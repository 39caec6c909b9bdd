"""`treadle queues`: the lanes, how full they are; stopping, limiting and emptying one."""

from functools import partial
from typing import Annotated, Any

import typer

from cli import actions, given, show, whole
from cli.remote import Door, remote

app = typer.Typer(help="See how full the queues are; pause, limit and purge them.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The queue's name.", show_default=False)]

whole.can_show(app, "/v1/queues/{}")


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


@app.command()
@remote
def limit(
    door: Door,
    name: Name,
    running: Annotated[int | None, typer.Option(min=0, help="Jobs at once, over all workers; 0: any number.")] = None,
    rate: Annotated[float | None, typer.Option(min=0, help="Starts a second, over all workers; 0: any number.")] = None,
) -> None:
    """Limit how many jobs of a queue run at once, or start a second. It is stored, and holds for the whole backlog."""
    wanted = {"max_running": running, "rate": rate}
    body = {limit: value or None for limit, value in wanted.items() if value is not None}
    door.show(door.ask("PATCH", "/v1/queues/{}", name, body=body), lambda queue: _show_all({"queues": [queue]}))


@app.command()
@remote
def purge(door: Door, name: Name, rate: actions.Rate = None, dry: actions.Dry = False, yes: actions.Yes = False) -> None:
    """Cancel every job that waits in a queue: how many first, then with a bar. What runs goes on."""
    act = partial(door.ask, "POST", "/v1/queues/{}/purge", name, params=given.without_empty(rate=rate))
    actions.ask_first(door, act, "cancel", f"jobs of {name}", dry=dry, yes=yes)


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
                f"{queue['finished_per_minute']:.0f}",
                f"{queue['workers']} ({queue['slots']})",
                _limits(queue),
            )
        )
    columns = ("QUEUE", "", "SCHEDULED", "QUEUED", "RUNNING", "OLDEST READY", "A MINUTE", "WORKERS (SLOTS)", "LIMITS")
    show.table(columns, rows, empty="No queues.")


def _limits(queue: dict[str, Any]) -> str:
    running, rate = queue["max_running"], queue["rate"]
    said = [f"{running} at once"] * (running is not None) + [f"{rate or 0:g} a second"] * (rate is not None)
    return ", ".join(said) or "–"
