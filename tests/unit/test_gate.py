"""The chaos tests of every commit are there: a name that no test has any more would leave its fault untested."""

import re
from pathlib import Path

import pytest

from tests.chaos.gate import GATE

CHAOS = Path(__file__).parents[1] / "chaos"


@pytest.mark.parametrize("name", GATE)
def test_it_names_a_test(name: str) -> None:
    place, _, test = name.partition("::")
    assert re.search(rf"^def {test.partition('[')[0]}\(", (CHAOS / place).read_text(), re.MULTILINE)
