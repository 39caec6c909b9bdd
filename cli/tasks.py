"""`treadle tasks`: what can be done."""

from typing import Annotated, Any

import typer

from cli import show
from cli.remote import Door, remote


@remote
def tasks(
    door: Door, name: Annotated[str | None, typer.Argument(help="Show this one with its schema and an example.")] = None
) -> None:
    """List the tasks, or show one."""
    if name in {None, "list"}:  # as the other commands have it
        door.show(door.ask("GET", "/v1/tasks"), _show_all)
    else:
        door.show(door.ask("GET", "/v1/tasks/{}", name), _show_one)


def _show_all(answer: dict[str, Any]) -> None:
    rows = [(task["name"], task["queue"], task["missing"] or task["summary"]) for task in answer["tasks"]]
    show.table(("TASK", "QUEUE", "WHAT IT DOES"), rows, empty="No tasks.")


def _show_one(task: dict[str, Any]) -> None:
    about = [("task", task["name"]), ("queue", task["queue"]), ("timeout", task["timeout"]), ("retry", task["retry"])]
    show.fields([*about, *([("missing", task["missing"])] if task["missing"] else [])])
    show.line(f"\n{task['summary']}\n\nPayload (JSON Schema):")
    show.as_json(task["payload_schema"])
    if task.get("example"):
        show.line("\nExample:")
        show.as_json(task["example"])
