"""`treadle subscriptions`: which events make which jobs."""

from typing import Annotated, Any

import typer

from cli import given, show, whole
from cli.remote import Door, remote

app = typer.Typer(help="Have events make jobs.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The subscription's name.", show_default=False)]
Text = str | None

whole.can_show(app, "/v1/subscriptions/{}")
whole.can_change(app, "/v1/subscriptions/{}")


@app.command("list")
@remote
def list_(door: Door) -> None:
    """List the subscriptions, those in code among them."""
    door.show(door.ask("GET", "/v1/subscriptions"), _show_all)


@app.command()
@remote
def create(
    door: Door,
    name: Name,
    types: Annotated[list[str], typer.Argument(help='Patterns: order.paid "order.*" "order.**".')],
    task: Annotated[str, typer.Option(help="What to do; `treadle tasks` lists all.")],
    payload: Annotated[Text, typer.Option(help="A template, as JSON, @FILE or -; else the event's data as it is.")] = None,
    filter_: Annotated[Text, typer.Option("--filter", help="What the event must hold, as JSON.")] = None,
    queue: Annotated[Text, typer.Option(help="Instead of the task's own.")] = None,
    priority: Annotated[Text, typer.Option(help="low, normal, high or critical.")] = None,
    delay: Annotated[Text, typer.Option(help='So long after the event: "5m".')] = None,
    tag: Annotated[list[str] | None, typer.Option(help="May be given more than once.")] = None,
) -> None:
    """Make a subscription."""
    body = given.without_empty(
        payload=given.json_value(payload, "payload") if payload else None,
        filter=given.json_value(filter_, "filter") if filter_ else None,
        queue=queue, priority=priority, delay=delay, tags=tag,
    )  # fmt: skip
    body |= {"name": name, "types": types, "task": task}
    door.show(door.ask("POST", "/v1/subscriptions", body=body), _say)


@app.command()
@remote
def pause(door: Door, name: Name) -> None:
    """Let no event make jobs by it until it is resumed."""
    door.show(door.ask("PATCH", "/v1/subscriptions/{}", name, body={"paused": True}), _say)


@app.command()
@remote
def resume(door: Door, name: Name) -> None:
    """Let a paused subscription go on. What came meanwhile can be replayed."""
    door.show(door.ask("PATCH", "/v1/subscriptions/{}", name, body={"paused": False}), _say)


@app.command()
@remote
def delete(door: Door, name: Name) -> None:
    """Delete a subscription; its jobs stay."""
    door.show(door.ask("DELETE", "/v1/subscriptions/{}", name), lambda _: show.line(f"{name} is deleted"))


def _show_all(answer: dict[str, Any]) -> None:
    rows = [
        (each["name"], " ".join(each["types"]), each["task"], each["filter"] or "–", _standing(each))
        for each in answer["subscriptions"]
    ]
    show.table(("SUBSCRIPTION", "EVENTS", "TASK", "FILTER", ""), rows, empty="No subscriptions.")


def _standing(subscription: dict[str, Any]) -> Any:
    if subscription["declared"]:
        return "in code"
    return show.state("paused") if subscription["paused"] else show.state("open")


def _say(subscription: dict[str, Any]) -> None:
    paused = ", paused" if subscription["paused"] else ""
    show.line(f"{subscription['name']}: {' '.join(subscription['types'])} makes {subscription['task']}{paused}")
