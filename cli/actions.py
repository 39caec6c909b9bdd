"""`treadle actions`: one act on many jobs: how many first, then with a bar; abort it, take it up again."""

import time
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from cli import given, show
from cli.filters import Text, Wanted, filtered
from cli.remote import Door, remote

app = typer.Typer(help="Do one thing to many jobs, in the background.", no_args_is_help=True)

ActionId = Annotated[str, typer.Argument(metavar="ID", help="The action's id.", show_default=False)]
Rate = Annotated[float | None, typer.Option(min=1, help="Jobs a second, at most.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Dry = Annotated[bool, typer.Option("--dry", help="Only say how many it would be.")]
DONE = {
    "retry": "retried",
    "cancel": "cancelled",
    "reschedule": "rescheduled",
    "prioritise": "prioritised",
    "purge": "cancelled",
}


class Verb(StrEnum):
    """What can be done to many."""

    RETRY = "retry"
    CANCEL = "cancel"
    RESCHEDULE = "reschedule"
    PRIORITISE = "prioritise"


@app.command()
@remote
@filtered()
def begin(
    door: Door,
    verb: Annotated[Verb, typer.Argument(help="What to do.", show_default=False)],
    wanted: Wanted,
    priority: Annotated[Text, typer.Option(help="For prioritise.")] = None,
    delay: Annotated[Text, typer.Option(help='For reschedule: from now ("2h").')] = None,
    run_at: Annotated[Text, typer.Option(help="For reschedule: not before this time (RFC 3339).")] = None,
    rate: Rate = None,
    dry: Dry = False,
    yes: Yes = False,
) -> None:
    """Do something to all jobs that are meant."""
    body = given.without_empty(verb=verb.value, filter=wanted, rate=rate, priority=priority, delay=delay, run_at=run_at)
    carry_out(door, body, dry=dry, yes=yes)


@app.command("list")
@remote
def list_(door: Door) -> None:
    """List the last actions, newest first."""
    door.show(door.ask("GET", "/v1/bulk-actions"), _show_all)


@app.command("show")
@remote
def show_(door: Door, action_id: ActionId) -> None:
    """Show an action, and how far it is."""
    door.show(door.ask("GET", "/v1/bulk-actions/{}", action_id), lambda action: show.fields(action.items()))


@app.command()
@remote
def watch(door: Door, action_id: ActionId) -> None:
    """Follow an action to its end."""
    door.show(_follow(door, door.ask("GET", "/v1/bulk-actions/{}", action_id)), _say)


@app.command()
@remote
def abort(door: Door, action_id: ActionId) -> None:
    """Stop before the next batch; what was done stays done."""
    door.show(door.ask("POST", "/v1/bulk-actions/{}/abort", action_id), _say)


@app.command()
@remote
def resume(door: Door, action_id: ActionId) -> None:
    """Go on where it was aborted; no job is met twice."""
    door.show(_follow(door, door.ask("POST", "/v1/bulk-actions/{}/resume", action_id)), _say)


def carry_out(door: Door, body: dict[str, Any], *, dry: bool, yes: bool) -> None:
    """Have it done to the jobs that its filter means; see `ask_first`."""
    ask_first(door, partial(door.ask, "POST", "/v1/bulk-actions", body=body), body["verb"], "jobs", dry=dry, yes=yes)


def ask_first(door: Door, act: Callable[..., Any], verb: str, jobs: str, *, dry: bool, yes: bool) -> None:
    """Say how many jobs are meant, ask, and follow what is done to them. `act` asks the API for it."""
    meant = act(params={"preview": "true"})
    many = f"{'' if meant['exact'] else 'at least '}{meant['count']} {jobs}"
    if dry:
        door.show(meant, lambda _: show.line(f"It would {verb} {many}."))
        return
    if not yes:
        typer.confirm(f"{verb.capitalize()} {many}?", abort=True, err=True)
    door.show(_follow(door, act()), _say)


def _follow(door: Door, action: dict[str, Any]) -> dict[str, Any]:
    columns = *Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=show.console(), disable=door.as_json or not show.console().is_terminal) as bars:
        if not bars.disable:
            bars.console.print(f"It goes on without you. treadle actions abort {action['id']} stops it.", markup=False)
        bar = bars.add_task(action["verb"], total=action["expected"])
        while True:
            met = action["done"] + action["skipped"]
            bars.update(bar, completed=met, total=max(met, action["expected"]))  # past 10,000 it is expected to be more
            if action["state"] != "running":
                return action
            time.sleep(0.5)
            action = door.ask("GET", "/v1/bulk-actions/{}", action["id"])


def _show_all(answer: dict[str, Any]) -> None:
    rows = [
        (each["id"], each["verb"], each["filter"] or "all", show.state(each["state"]), each["done"], each["skipped"],
         show.when(each["created_at"]))
        for each in answer["actions"]
    ]  # fmt: skip
    show.table(("ACTION", "", "JOBS", "STATE", "DONE", "SKIPPED", "BEGUN"), rows, empty="No actions.")


def _say(action: dict[str, Any]) -> None:
    show.line(f"{action['done']} {DONE[action['verb']]}, {action['skipped']} skipped, {action['state']}")
