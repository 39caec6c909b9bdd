"""The forms of a test: short for every commit, long for `make chaos-full`, endurance for those who have hours."""

from typing import Any

import pytest

LEDGERS = ("sqlite", "postgresql")
SHORT, LONG, ENDURANCE = "short", "long", "endurance"


def forms(
    names: str,
    *,
    short: tuple[Any, ...],
    long: tuple[Any, ...],
    endurance: tuple[Any, ...] | None = None,
    short_on: tuple[str, ...] = ("sqlite",),
    long_on: tuple[str, ...] = LEDGERS,
) -> Any:
    """Parametrize `ledger_url` and the `names` (by comma).

    The long form on a ledger that is not in `long_on` is left to endurance: there the fault is of another part.
    """
    params = [_form(SHORT, ledger, short, SHORT) for ledger in short_on]
    params += [_form(LONG, ledger, long, LONG if ledger in long_on else ENDURANCE) for ledger in LEDGERS]
    if endurance is not None:
        params += [_form(ENDURANCE, ledger, endurance, ENDURANCE) for ledger in LEDGERS]
    return pytest.mark.parametrize(f"ledger_url,{names}", params, indirect=["ledger_url"])


def _form(form: str, ledger: str, values: tuple[Any, ...], mark: str) -> Any:
    return pytest.param(ledger, *values, id=f"{ledger}-{form}", marks=getattr(pytest.mark, mark))


on_sqlite_first = pytest.mark.parametrize(
    "ledger_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.endurance)], indirect=True
)
"""For a fault that the ledger has no part in: on PostgreSQL, too, but not in `make chaos-full`."""
