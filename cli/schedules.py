"""`treadle schedules`: jobs again and again."""

from typing import Annotated, Any

import typer

from cli import given, show, whole
from cli.complaint import Complaint
from cli.remote import Door, remote

app = typer.Typer(help="Have jobs made by the clock.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The schedule's name.", show_default=False)]
Text = str | None

whole.can_show(app, "/v1/schedules/{}")
whole.can_change(app, "/v1/schedules/{}")


@app.command("list")
@remote
def list_(door: Door) -> None:
    """List the schedules."""
    door.show(door.ask("GET", "/v1/schedules"), _show_all)


@app.command()
@remote
def create(
    door: Door,
    name: Name,
    task: Annotated[str, typer.Argument(help="What to do; `treadle tasks` lists all.")],
    payload: Annotated[str, typer.Argument(help="JSON, @FILE, or - for standard input.")] = "{}",
    cron: Annotated[Text, typer.Option(help='Five fields: "*/15 9-17 * * MON-FRI".')] = None,
    every: Annotated[Text, typer.Option(help='An interval: "30s", "6h".')] = None,
    zone: Annotated[Text, typer.Option(help="IANA time zone of the cron: Europe/Paris. UTC if not given.")] = None,
    queue: Annotated[Text, typer.Option(help="Instead of the task's own.")] = None,
    priority: Annotated[Text, typer.Option(help="low, normal, high or critical.")] = None,
    timeout: Annotated[Text, typer.Option(help='Time limit of one attempt: "1m".')] = None,
    retry: Annotated[Text, typer.Option(help="The retry policy, as JSON.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="May be given more than once.")] = None,
    catch_up: Annotated[Text, typer.Option(help="How far back missed times are made up for.")] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Made, but not started.")] = False,
) -> None:
    """Make a schedule."""
    if (cron is None) == (every is None):
        raise Complaint('When? Give either --cron "0 6 * * *" or --every 1h.')
    body = given.without_empty(
        cron=cron, every=every, zone=zone, queue=queue, priority=priority, timeout=timeout,
        retry=given.json_value(retry, "retry policy") if retry else None, tags=tag, catch_up=catch_up,
    )  # fmt: skip
    body |= {"name": name, "task": task, "payload": given.json_value(payload, "payload"), "paused": paused}
    door.show(door.ask("POST", "/v1/schedules", body=body), _say_next)


@app.command()
@remote
def pause(door: Door, name: Name) -> None:
    """Stop a schedule until it is resumed."""
    door.show(door.ask("PATCH", "/v1/schedules/{}", name, body={"paused": True}), _say_next)


@app.command()
@remote
def resume(door: Door, name: Name) -> None:
    """Let a paused schedule go on."""
    door.show(door.ask("PATCH", "/v1/schedules/{}", name, body={"paused": False}), _say_next)


@app.command()
@remote
def run(door: Door, name: Name) -> None:
    """Make the schedule's job now, besides its times."""
    door.show(door.ask("POST", "/v1/schedules/{}/run", name), lambda job: show.line(job["id"]))


@app.command()
@remote
def delete(door: Door, name: Name) -> None:
    """Delete a schedule; its jobs stay."""
    door.show(door.ask("DELETE", "/v1/schedules/{}", name), lambda _: show.line(f"{name} is deleted"))


@app.command()
@remote
def preview(door: Door, name: Name, count: Annotated[int, typer.Option(min=1, help="How many.")] = 5) -> None:
    """Show the next times of a schedule."""
    answer = door.ask("GET", "/v1/schedules/{}/preview", name, params={"count": count})
    rows = [(time, show.when(time)) for time in answer["times"]]
    door.show(answer, lambda _: show.table(("TIME", ""), rows, empty="No more times."))


def _timing(schedule: dict[str, Any]) -> str:
    if schedule.get("cron"):
        return f"{schedule['cron']} {schedule['zone']}"
    return f"every {schedule['every']}"


def _show_all(answer: dict[str, Any]) -> None:
    rows = [
        (s["name"], s["task"], _timing(s), show.state("paused") if s["paused"] else show.when(s.get("next_at")))
        for s in answer["schedules"]
    ]
    show.table(("SCHEDULE", "TASK", "WHEN", "NEXT"), rows, empty="No schedules.")


def _say_next(schedule: dict[str, Any]) -> None:
    upcoming = "is paused" if schedule["paused"] else f"runs {_timing(schedule)}, next {show.when(schedule.get('next_at'))}"
    show.line(f"{schedule['name']} {upcoming}")
