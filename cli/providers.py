"""`treadle providers`: the accounts of third parties, how they stand, and asking one whether it answers."""

from typing import Annotated, Any

import typer

from cli import show
from cli.remote import Door, remote
from cli.watch import follow

app = typer.Typer(help="See how the accounts of third parties stand; check one.", no_args_is_help=True)


@app.command("list")
@remote
def list_(door: Door) -> None:
    """List the accounts."""
    door.show(door.ask("GET", "/v1/providers"), _show_all)


@app.command()
@remote
def check(door: Door, account: Annotated[str, typer.Argument(help="The account's name.", show_default=False)]) -> None:
    """Have a worker call an account in a way that has no effect, and show what it answers."""
    follow(door, door.ask("POST", "/v1/providers/{}/check", account)["id"])


def _show_all(answer: dict[str, Any]) -> None:
    rows = []
    for account in answer["accounts"]:
        state = account["state"] if account["available"] else "missing"
        used = account["saturation"]
        rows.append(
            (
                account["account"],
                show.state(state),
                str(account["held_jobs"]),
                "–" if account["rate"] is None else account["rate"] + ("" if used is None else f" {used:.0%}"),
                show.when(account["until"]) if account["until"] else "–",
                account["missing"] or account["why"] or account["last_error"] or "",
            )
        )
    show.table(("ACCOUNT", "", "HELD", "RATE", "UNTIL", "WHY"), rows, empty="No accounts.")
