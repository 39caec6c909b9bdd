"""The long forms of tests/integration/test_model.py: up to 10,000 random moves against the model, on each database."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine

from runtime.broker import Hint
from tests.chaos.conftest import Record
from tests.clock import Clock
from tests.integration.test_model import WINDOW, Ledger

STEPS = 100


@pytest.mark.parametrize("runs", [20, pytest.param(100, marks=pytest.mark.endurance)])
@pytest.mark.timeout(1200)
def test_thousands_of_moves_end_as_the_model_says(
    ledger: Engine, clock: Clock, sent: list[Hint], configure: Any, record: Record, runs: int
) -> None:
    configure(hint_window=WINDOW)
    steps = 0

    class Counted(Ledger):
        def check_invariants(self, *args: Any, **kwargs: Any) -> None:
            nonlocal steps
            steps += 1
            super().check_invariants(*args, **kwargs)

    while steps < runs * STEPS:
        profile = settings(parent=settings(), max_examples=runs, stateful_step_count=STEPS, deadline=None)
        run_state_machine_as_test(lambda: Counted(ledger, clock, sent), settings=profile)
    record(19, "random moves against a model", "–", f"{steps} steps, no invariant broken", None)
