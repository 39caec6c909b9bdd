"""`treadle migrate`: the tables."""

from typing import Annotated

import typer

from cli.complaint import Complaint


def migrate(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail and list what is missing.")] = False,
) -> None:
    """Bring the database's tables to what this version needs."""
    from cli.ledger import ledger, read_settings  # noqa: PLC0415 - `treadle up` must not carry SQLAlchemy
    from jobs.migrate import missing, upgrade  # noqa: PLC0415
    from jobs.schema import SchemaMismatch  # noqa: PLC0415
    from runtime.database import engine  # noqa: PLC0415

    read_settings().home.mkdir(parents=True, exist_ok=True)
    try:
        with ledger() as place:
            lacking = [f"{migration.revision}: {migration.doc}" for migration in missing(engine())]
            if check and lacking:
                raise Complaint(f"{place} lacks migrations; `treadle migrate` runs them:", lacking)
            if not check:
                upgrade(engine())
    except SchemaMismatch as mismatch:
        raise Complaint(str(mismatch)) from None
    for line in lacking:
        print(line)
    print(f"{place} has all its tables.")
