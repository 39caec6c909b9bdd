"""`treadle keys`: who may call. Works on the database itself, since the first key cannot come through the API."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from cli import show
from cli.complaint import Complaint

app = typer.Typer(help="Make and revoke API keys, directly on the database.", no_args_is_help=True)


class Scope(StrEnum):
    """What a key allows; each holds those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    scope: Annotated[Scope, typer.Option(help="read, write (submit and cancel) or admin.")] = Scope.WRITE,
    lifetime: Annotated[str | None, typer.Option(help='Ends after this long: "90d". Never if not given.')] = None,
) -> None:
    """Make a key and print it. It is shown this once."""
    from cli.ledger import ledger  # noqa: PLC0415 - `treadle up` must not carry SQLAlchemy
    from jobs import keys  # noqa: PLC0415
    from runtime.database import transaction  # noqa: PLC0415

    with ledger(), transaction() as session:
        key = keys.create(session, name, scope.value, lifetime=_span(lifetime) if lifetime else None)
    print(key)


@app.command("list")
def list_() -> None:
    """List the keys: their ids, never their secrets."""
    from sqlalchemy import select  # noqa: PLC0415

    from cli.ledger import ledger  # noqa: PLC0415
    from jobs.model import ApiKey  # noqa: PLC0415
    from runtime.database import snapshot  # noqa: PLC0415

    with ledger(), snapshot() as session:
        rows = [
            (
                key.id,
                key.name,
                key.scope,
                show.when(key.created_at.isoformat()),
                f"revoked {show.when(key.revoked_at.isoformat())}"
                if key.revoked_at
                else show.when(key.expires_at.isoformat() if key.expires_at else None),
            )
            for key in session.scalars(select(ApiKey).order_by(ApiKey.created_at))
        ]
    show.table(("ID", "NAME", "SCOPE", "CREATED", "ENDS"), rows, empty="No keys. `treadle keys create NAME` makes one.")


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id: tr_<id>_…")]) -> None:
    """End a key at once."""
    from cli.ledger import ledger  # noqa: PLC0415
    from jobs import keys  # noqa: PLC0415
    from runtime.database import transaction  # noqa: PLC0415

    if key_id.startswith("tr_"):
        key_id = key_id.split("_")[1]
    with ledger(), transaction() as session:
        revoked = keys.revoke(session, key_id)
    if not revoked:
        raise Complaint(f"There is no live key {key_id!r}. `treadle keys list` lists all.")
    show.line(f"{key_id} is revoked")


def _span(given: str) -> timedelta:
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    from runtime.duration import Duration  # noqa: PLC0415

    try:
        found: timedelta = TypeAdapter(Duration).validate_python(given)
    except ValidationError as error:
        raise Complaint(f"{given!r} is no length of time: {error.errors()[0]['msg']}.") from None
    if found <= timedelta(0):
        raise Complaint("A key's lifetime is longer than nothing.")
    return found
