"""The two forms of a test: a short one for every commit, and a long one, with the figures to reach, on both databases."""

from typing import Any

import pytest

LEDGERS = ("sqlite", "postgresql")


def forms(names: str, *, short: tuple[Any, ...], long: tuple[Any, ...], short_on: tuple[str, ...] = ("sqlite",)) -> Any:
    """Parametrize `ledger_url` and the `names` (by comma): in short for every commit, in long for `make chaos-full`."""
    params = [pytest.param(ledger, *short, id=f"{ledger}-short", marks=pytest.mark.short) for ledger in short_on]
    params += [pytest.param(ledger, *long, id=f"{ledger}-long", marks=pytest.mark.long) for ledger in LEDGERS]
    return pytest.mark.parametrize(f"ledger_url,{names}", params, indirect=["ledger_url"])
