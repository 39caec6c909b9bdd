"""Commands that work on the database itself, with its errors in words."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, ProgrammingError

from cli.complaint import Complaint
from runtime.database import Unavailable
from runtime.settings import Settings, settings


def read_settings() -> Settings:
    """The settings, or a complaint that names the variable."""
    try:
        return settings()
    except ValidationError as error:
        wrong = [f"TREADLE_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors(include_input=False)]
        raise Complaint("The settings are not right.", wrong) from None


@contextmanager
def ledger() -> Iterator[str]:
    """Where the database is, for telling; whatever is wrong with it becomes a complaint."""
    url = read_settings().ledger_url
    try:
        place = make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        raise Complaint("TREADLE_DATABASE_URL is no address of a database: postgresql://… or sqlite:///PATH.") from None
    try:
        yield place
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise Complaint(f"This kind of database is not supported: {error}.") from None
    except (OperationalError, ProgrammingError) as error:
        if "no such table" in str(error) or "UndefinedTable" in type(error.orig).__name__:
            raise Complaint(f"The tables are not there yet in {place}. `treadle migrate` makes them.") from None
        raise Complaint(f"The database {place} cannot be used: {str(error.orig).strip()}.") from None
    except Unavailable as error:
        raise Complaint(f"The database {place} does not answer: {error}.") from None
