"""`show NAME` and `change NAME JSON` for what has many fields: one page of it, and its fields as the API has them."""

from typing import Annotated, Any

import typer

from cli import given, show
from cli.remote import Door, remote

Name = Annotated[str, typer.Argument(help="Its name or id.", show_default=False)]
Changes = Annotated[
    str, typer.Argument(help="The fields to change, as JSON, @FILE or -; null empties one.", show_default=False)
]


def can_show(app: typer.Typer, path: str) -> None:
    """Add the command `show`; the path has a gap for the name."""

    @app.command("show")
    @remote
    def show_(door: Door, name: Name) -> None:
        """Show all of it."""
        door.show(door.ask("GET", path, name), _show)


def can_change(app: typer.Typer, path: str) -> None:
    """Add the command `change`."""

    @app.command()
    @remote
    def change(door: Door, name: Name, changes: Changes) -> None:
        """Change some of its fields; `show` says what there is."""
        door.show(door.ask("PATCH", path, name, body=given.json_value(changes, "changes")), _show)


def _show(thing: dict[str, Any]) -> None:
    show.fields((name, value) for name, value in thing.items())
