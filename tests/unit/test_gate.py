"""The chaos tests of every commit are there, and the guards are in the documentation."""

import re
from pathlib import Path

import pytest

from tests.chaos.gate import GATE
from tests.guards import GUARDS, Guard

ROOT = Path(__file__).parents[2]
CHAOS = ROOT / "tests" / "chaos"


@pytest.mark.parametrize("name", GATE)
def test_it_names_a_test(name: str) -> None:
    place, _, test = name.partition("::")
    assert re.search(rf"^def {test.partition('[')[0]}\(", (CHAOS / place).read_text(), re.MULTILINE)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_the_page_on_reliability_tells_which_test_notices_a_guard_that_is_taken_out(guard: Guard) -> None:
    noticing = guard.test.partition("::")[2].partition("[")[0]
    assert f"| {guard.name} | `{noticing}` |" in (ROOT / "docs" / "reliability.md").read_text()
