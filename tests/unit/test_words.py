"""Closed sets of words, as statements have them."""

from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.dialects import sqlite

from jobs.model import Job
from jobs.states import FINAL, State


@pytest.mark.parametrize(
    ("condition", "spelt"),
    [
        (Job.state == State.QUEUED, "state = 'queued'"),
        (Job.state != State.QUEUED, "state != 'queued'"),
        (Job.state.in_({State.SCHEDULED, State.QUEUED}), "state IN ('queued', 'scheduled')"),
        (Job.state.not_in(FINAL), "state NOT IN ('cancelled', 'expired', 'failed', 'succeeded')"),
    ],
)
def test_a_comparison_spells_the_words_out_so_that_a_plan_made_once_can_use_a_partial_index(
    condition: Any, spelt: str
) -> None:
    compiled = select(Job.id).where(condition).compile(dialect=sqlite.dialect())  # type: ignore[no-untyped-call]
    assert (spelt in str(compiled), compiled.params) == (True, {})


def test_what_is_stored_is_a_parameter() -> None:
    compiled = update(Job).values(state=State.QUEUED).compile(dialect=sqlite.dialect())  # type: ignore[no-untyped-call]
    assert compiled.params == {"state": State.QUEUED}
