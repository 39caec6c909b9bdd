"""The long form of tests/integration/test_model.py: 10,000 random moves against the model, on each database."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine

from runtime.broker import Hint
from tests.chaos.conftest import Record
from tests.clock import Clock
from tests.integration.test_model import WINDOW, Ledger

RUNS, STEPS = 100, 100


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_ten_thousand_moves_end_as_the_model_says(
    ledger: Engine, clock: Clock, sent: list[Hint], configure: Any, record: Record
) -> None:
    configure(hint_window=WINDOW)
    steps = 0

    class Counted(Ledger):
        def check_invariants(self, *args: Any, **kwargs: Any) -> None:
            nonlocal steps
            steps += 1
            super().check_invariants(*args, **kwargs)

    while steps < RUNS * STEPS:
        profile = settings(parent=settings(), max_examples=RUNS, stateful_step_count=STEPS, deadline=None)
        run_state_machine_as_test(lambda: Counted(ledger, clock, sent), settings=profile)
    record(19, "random moves against a model", "–", f"{steps} steps, no invariant broken", None)
