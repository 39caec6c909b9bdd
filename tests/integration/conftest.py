"""The door, on each of the databases."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.contract.door import Door


@pytest.fixture
def door(ledger: Engine) -> Iterator[Door]:
    """The API on this ledger; afterwards the ledger holds what was accepted, and no more."""
    with Door() as opened:
        yield opened
        opened.check_ledger()
