"""`treadle migrate`: the tables."""


def migrate() -> None:
    """Bring the database's tables to what this version needs."""
    from cli.ledger import ledger, read_settings  # noqa: PLC0415 - `treadle up` must not carry SQLAlchemy
    from jobs.migrate import upgrade  # noqa: PLC0415
    from runtime.database import engine  # noqa: PLC0415

    read_settings().home.mkdir(parents=True, exist_ok=True)
    with ledger() as place:
        upgrade(engine())
    print(f"{place} has all its tables.")
