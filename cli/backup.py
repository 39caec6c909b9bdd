"""`treadle backup` and `treadle restore`: the SQLite ledger in one file. PostgreSQL has its own means."""

import sqlite3
from pathlib import Path
from typing import Annotated

import typer

from cli.complaint import Complaint

OWN_MEANS = [
    "pg_dump --format=custom --file=FILE --dbname=…      a copy of one moment; pg_restore puts it back",
    "pg_basebackup and an archive of the WAL             any moment (docs/operations.md)",
]


def backup(file: Annotated[Path, typer.Argument(help="The copy; it must not exist.")]) -> None:
    """Copy the SQLite ledger, as it is at this moment, while everything runs."""
    from runtime.backup import save  # noqa: PLC0415 - `treadle up` must not carry SQLAlchemy

    database = _sqlite()
    try:
        save(database, file)
    except FileExistsError:
        raise Complaint(f"{file} exists already. Give another name.") from None
    except (OSError, sqlite3.Error) as error:
        raise Complaint(f"{database} cannot be copied to {file}: {error}.") from None
    print(f"{file} is a copy of {database}.")


def restore(
    file: Annotated[Path, typer.Argument(help="A copy that `treadle backup` made.")],
    paused: Annotated[bool, typer.Option("--paused", help="Pause all queues, to look before anything runs again.")] = False,
) -> None:
    """Put a copy in the place of the SQLite ledger. Stop everything first."""
    from jobs import queues  # noqa: PLC0415
    from jobs.migrate import upgrade  # noqa: PLC0415
    from runtime.backup import Damaged, InUse, put_back  # noqa: PLC0415
    from runtime.database import engine, transaction  # noqa: PLC0415
    from runtime.settings import settings  # noqa: PLC0415

    database = _sqlite()
    try:
        aside = put_back(file, database)
    except InUse:
        raise Complaint(f"{database} is in use. Stop the API, the workers and the scheduler first.") from None
    except (Damaged, OSError) as error:
        raise Complaint(f"{file} cannot be put back: {error}.") from None
    upgrade(engine())
    if paused:
        with transaction() as session:
            for name in settings().queues:
                queues.pause(session, name)
    print(f"{database} is as it was in {file}" + (f"; what it was until now is {aside}." if aside else "."))


def _sqlite() -> Path:
    from sqlalchemy import make_url  # noqa: PLC0415

    from cli.ledger import read_settings  # noqa: PLC0415

    url = make_url(read_settings().ledger_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise Complaint("This is for the SQLite ledger. PostgreSQL has its own means:", OWN_MEANS)
    return Path(url.database)
