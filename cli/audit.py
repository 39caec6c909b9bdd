"""`treadle audit`: who did what."""

from typing import Annotated, Any

import typer

from cli import given, show
from cli.remote import Door, remote


@remote
def audit(
    door: Door,
    about: Annotated[str | None, typer.Option(help="Only what was done to this job, key, queue or action.")] = None,
    before: Annotated[str | None, typer.Option(help="Only what came before this entry: the last id of a page.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
) -> None:
    """Tell what was done by hand, newest first."""
    params = given.without_empty(about=about, before=before, limit=limit)
    door.show(door.ask("GET", "/v1/audit", params=params), _show_all)


def _show_all(answer: dict[str, Any]) -> None:
    rows = [
        (deed["id"], show.when(deed["at"]), deed["who"], deed["what"], deed["about"], deed["detail"])
        for deed in answer["deeds"]
    ]
    show.table(("ID", "", "WHO", "WHAT", "ABOUT", "DETAIL"), rows, empty="Nothing was done by hand.")
