"""Whether this code can work on the ledger's tables. Migrations expand, and contract a release later (decision 0013)."""

import re
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session
from tenacity import retry, retry_if_exception_type, wait_fixed

from runtime import database
from runtime.database import Unavailable, snapshot

log = structlog.get_logger()

VERSIONS = Path(__file__).parent / "migrations" / "versions"
_STATED = re.compile(r"^(?:down_)?revision = (?:None|[\"'](\w+)[\"'])", re.MULTILINE)


class SchemaMismatch(Exception):
    """This code cannot work on the ledger's tables as they are. The text says what to do."""


@lru_cache
def known() -> dict[str, str]:
    """The revisions of this code, each with the one before ("" for the first).

    Read from the files: Alembic itself would cost every process 11 MB.
    """
    return dict(_STATED.findall(path.read_text()) for path in VERSIONS.glob("*.py"))


def head() -> str:
    """The newest revision of this code."""
    (newest,) = set(known()) - set(known().values())
    return newest


def first() -> str:
    """The oldest revision of this code."""
    return next(revision for revision, before in known().items() if not before)


def check(session: Session) -> None:
    """See that this code can work on the ledger's tables: they are its own, or newer ones that still suit it.

    Raises:
        SchemaMismatch: they do not.
    """
    there = sa.inspect(session.connection()).has_table("alembic_version")
    row = session.execute(sa.text("SELECT * FROM alembic_version")).mappings().one_or_none() if there else None
    if row is None:
        raise SchemaMismatch("The ledger has no tables yet. `treadle migrate` makes them.")
    found, oldest = row["version_num"], row.get("oldest")
    if found in known() and found != head():
        raise SchemaMismatch(f"The ledger has schema {found}, and this version needs {head()}. Run `treadle migrate` first.")
    if found not in known() and oldest not in known():
        raise SchemaMismatch(
            f"The ledger has schema {found}, which suits versions from schema {oldest} on; this one has {head()}."
            " Start a newer version."
        )


@retry(retry=retry_if_exception_type(Unavailable), wait=wait_fixed(1))
def require() -> None:
    """At a process's start: wait until the ledger answers, and go on only if this code can work on it.

    Raises:
        SystemExit: it cannot; the text says what to do.
    """
    try:
        with snapshot() as session:
            check(session)
            for doubt in doubts(session):
                log.warning("the database may lose what it has confirmed", setting=doubt)
    except SchemaMismatch as mismatch:
        raise SystemExit(f"treadle: {mismatch}") from None
    except Unavailable as error:
        log.warning("the database is away; waiting for it", error=str(error)[:300])
        raise
    finally:
        database.use(None)  # nothing that a fork could inherit


_DOUBTS = sa.text(
    "SELECT name FROM pg_settings WHERE setting = 'off'"
    " AND name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name"
)


def doubts(session: Session) -> list[str]:
    """The database's settings by which a power cut may take accepted jobs. (On SQLite we make those settings ourselves.)"""
    if session.get_bind().dialect.name != "postgresql":
        return []
    return [f"{name} is off" for name in session.scalars(_DOUBTS)]
