"""`treadle keys`: who may call. Works on the database itself, since the first key cannot come through the API."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from cli import show
from cli.complaint import Complaint

app = typer.Typer(help="Make, rotate and revoke API keys, directly on the database.", no_args_is_help=True)


class Scope(StrEnum):
    """What a key allows; each holds those before it."""

    READ = "read"
    OPERATE = "operate"
    WRITE = "write"
    ADMIN = "admin"


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    scope: Annotated[Scope, typer.Option(help="read, operate (cancel, retry), write (submit) or admin.")] = Scope.WRITE,
    lifetime: Annotated[str | None, typer.Option(help='Ends after this long: "90d". Never if not given.')] = None,
    task: Annotated[
        list[str] | None, typer.Option(help='Reaches only jobs of this task, or "stripe.*"; repeatable.')
    ] = None,
    queue: Annotated[list[str] | None, typer.Option(help="And only those in this queue; repeatable.")] = None,
    blind: Annotated[bool, typer.Option("--blind", help="Sees no payloads, results and errors; for --scope read.")] = False,
    quota: Annotated[int | None, typer.Option(min=1, help="Requests a minute; TREADLE_QUOTA if not given.")] = None,
) -> None:
    """Make a key and print it. It is shown this once."""
    from cli.ledger import ledger  # noqa: PLC0415 - `treadle up` must not carry SQLAlchemy
    from jobs import keys  # noqa: PLC0415
    from jobs.reach import Reach, is_pattern  # noqa: PLC0415
    from runtime.database import transaction  # noqa: PLC0415

    if wrong := [pattern for pattern in (*(task or ()), *(queue or ())) if not is_pattern(pattern)]:
        raise Complaint(f"{wrong[0]!r} is no pattern: a name, or the beginning of names and a * behind it.")
    if blind and scope is not Scope.READ:
        raise Complaint("A key that may change jobs is shown what it changes: --blind goes with --scope read only.")
    span, reach = _span(lifetime) if lifetime else None, Reach(tuple(task or ()), tuple(queue or ()))
    with ledger(), transaction() as session:
        key = keys.create(session, name, scope.value, lifetime=span, reach=reach, blind=blind, quota=quota)
    print(key)


@app.command()
def rotate(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id: tr_<id>_…")],
    overlap: Annotated[str, typer.Option(help="The secret before is taken for so much longer.")] = "1h",
) -> None:
    """Give a key another secret and print it. It is shown this once."""
    from cli.ledger import ledger  # noqa: PLC0415
    from jobs import keys  # noqa: PLC0415
    from jobs.errors import KeyNotFound  # noqa: PLC0415
    from runtime.database import transaction  # noqa: PLC0415

    try:
        with ledger(), transaction() as session:
            key = keys.rotate(session, _id_of(key_id), _span(overlap))
    except KeyNotFound as missing:
        raise Complaint(f"{missing} `treadle keys list` lists all.") from None
    print(key)


@app.command("list")
def list_() -> None:
    """List the keys: their ids, never their secrets."""
    from cli.ledger import ledger  # noqa: PLC0415
    from jobs import keys  # noqa: PLC0415
    from runtime.database import snapshot  # noqa: PLC0415

    with ledger(), snapshot() as session:
        rows = [
            (
                key.id,
                key.name,
                f"{key.scope}{', blind' if key.blind else ''}",
                ", ".join([*(key.tasks or ()), *(key.queues or ())]) or "all",
                show.when(key.created_at.isoformat()),
                f"revoked {show.when(key.revoked_at.isoformat())}"
                if key.revoked_at
                else show.when(key.expires_at.isoformat() if key.expires_at else None),
            )
            for key in keys.listed(session)
        ]
    show.table(
        ("ID", "NAME", "SCOPE", "REACHES", "CREATED", "ENDS"), rows, empty="No keys. `treadle keys create NAME` makes one."
    )


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id: tr_<id>_…")]) -> None:
    """End a key at once."""
    from cli.ledger import ledger  # noqa: PLC0415
    from jobs import keys  # noqa: PLC0415
    from runtime.database import transaction  # noqa: PLC0415

    key_id = _id_of(key_id)
    with ledger(), transaction() as session:
        revoked = keys.revoke(session, key_id)
    if not revoked:
        raise Complaint(f"There is no live key {key_id!r}. `treadle keys list` lists all.")
    show.line(f"{key_id} is revoked")


def _id_of(given: str) -> str:
    return given.split("_")[1] if given.startswith("tr_") and given.count("_") > 1 else given


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
