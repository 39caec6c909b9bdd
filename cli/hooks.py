"""`treadle hooks`: the providers whose webhooks are taken."""

from typing import Annotated, Any

import typer

from cli import given, show, whole
from cli.remote import Door, remote

app = typer.Typer(help="Take the webhooks of providers.", no_args_is_help=True)
Name = Annotated[
    str, typer.Argument(help="The source's name: the last part of the path that it posts to.", show_default=False)
]
Secret = Annotated[
    list[str] | None,
    typer.Option("--secret", help="What it signs with; twice during a rotation."),
]
Option = Annotated[list[str] | None, typer.Option("--option", help="name=value; `treadle hooks kinds` says which.")]

whole.can_show(app, "/v1/sources/{}")


@app.command("list")
@remote
def list_(door: Door) -> None:
    """List the sources."""
    door.show(door.ask("GET", "/v1/sources"), _show_all)


@app.command()
@remote
def kinds(door: Door) -> None:
    """List the kinds of sources, and what each needs."""
    door.show(door.ask("GET", "/v1/sources/kinds"), _show_kinds)


@app.command()
@remote
def create(
    door: Door,
    kind: Annotated[str, typer.Argument(help="stripe, github, standard …; `treadle hooks kinds` lists all.")],
    name: Annotated[str, typer.Option(help="By default the kind.")] = "",
    secret: Secret = None,
    option: Option = None,
) -> None:
    """Take the webhooks of a provider."""
    body = {"name": name or kind, "kind": kind, "secrets": secret or [], "options": given.pairs(option or [])}
    door.show(door.ask("POST", "/v1/sources", body=body), lambda made: show.line(f"{door.url}{made['path']}"))


@app.command()
@remote
def change(door: Door, name: Name, secret: Secret = None, option: Option = None) -> None:
    """Change a source's secrets or options."""
    body = given.without_empty(secrets=secret, options=given.pairs(option or []))
    door.show(door.ask("PATCH", "/v1/sources/{}", name, body=body), lambda _: show.line(f"{name} is changed"))


@app.command()
@remote
def delete(door: Door, name: Name) -> None:
    """Take no more webhooks of a source; its events stay."""
    door.show(door.ask("DELETE", "/v1/sources/{}", name), lambda _: show.line(f"{name} is deleted"))


def _show_all(answer: dict[str, Any]) -> None:
    rows = [
        (each["name"], each["kind"], each["path"], each["secrets"], each["options"] or "–") for each in answer["sources"]
    ]
    show.table(("SOURCE", "KIND", "PATH", "SECRETS", "OPTIONS"), rows, empty="No sources.")


def _show_kinds(answer: dict[str, Any]) -> None:
    rows = [
        (each["name"], each["secret"] or "none", " ".join(each["needs"]) or "–", " ".join(each["takes"]) or "–")
        for each in answer["kinds"]
    ]
    show.table(("KIND", "SECRET", "NEEDS", "TAKES"), rows, empty="No kinds.")
