"""What an attempt says while it runs is kept until it is written."""

import json
from math import inf, nan
from uuid import uuid4

import pytest

from jobs.model import unsaved
from runtime import clock
from tests import make
from workers.running import MOST_LINES, MOST_STEPS, Running


@pytest.fixture
def running() -> Running:
    return Running(make.taken(unsaved(make.order().row(uuid4(), clock.now()))), 0.0)


def test_each_step_is_kept_for_who_watches_and_the_last_for_the_row(running: Running) -> None:
    for step in range(3):
        running.write_progress(step, 3, f"step {step}")
    lines, progress = running.take_record()
    assert progress is not None
    assert (progress["done"], progress["note"]) == (2, "step 2")
    steps = [json.loads(message) for _, level, message in lines if level == "progress"]
    assert [step["done"] for step in steps] == [0, 1, 2]


def test_steps_and_lines_do_not_crowd_each_other_out(running: Running) -> None:
    for number in range(MOST_STEPS + 5):
        running.write_progress(number, None, "")
    for _ in range(MOST_LINES + 5):
        running.write_line("info", "a")
    lines, progress = running.take_record()
    levels = [level for _, level, _ in lines]
    assert (levels.count("progress"), levels.count("info")) == (MOST_STEPS, MOST_LINES)
    assert progress is not None
    assert progress["done"] == MOST_STEPS + 4


@pytest.mark.parametrize(("done", "total"), [(nan, None), (inf, 1), (1, nan), (1, -inf)])
def test_progress_that_no_database_takes_is_refused_where_it_is_said(
    running: Running, done: float, total: float | None
) -> None:
    with pytest.raises(ValueError, match="finite"):
        running.write_progress(done, total, "")
