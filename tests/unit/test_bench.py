"""What the bench makes of its rounds."""

from pathlib import Path
from xml.etree import ElementTree as ET

from bench import chart, report

DRAIN, WAIT = "drain, no-op (1/s)", "enqueue to start at 50/s, median (ms)"
ROUNDS: list[report.Round] = [
    {
        "SQLite": {DRAIN: 300.0, WAIT: 4.0},
        "celery": {DRAIN: 100.0, WAIT: 2.0},
        "saq": {DRAIN: 150.0},
        "no queue": {DRAIN: 900.0},
    },
    {"SQLite": {DRAIN: 500.0, WAIT: 6.0}, "celery": {DRAIN: 100.0, WAIT: 2.0}, "saq": {}, "no queue": {DRAIN: 900.0}},
]
WORK = report.summaries(ROUNDS, ["SQLite"])
UNDER = {
    "rounds": 2,
    "at": "now",
    "cores": 2,
    "load_average": [1.0, 2.0],
    "python": "3",
    "versions": {},
    "failed": ["saq, noop: slow"],
}
FOUND = report.Found(WORK, UNDER)


def test_a_ratio_is_taken_inside_each_round_and_its_median_shown() -> None:
    row = WORK["SQLite"][DRAIN]
    assert row["ours"] == 400.0
    assert row["peers"]["celery"] == 100.0
    assert row["ratios"]["celery"] == 4.0
    assert row["ranges of ratios"]["celery"] == [3.0, 5.0]


def test_a_side_that_failed_in_a_round_counts_in_the_others() -> None:
    assert WORK["SQLite"][DRAIN]["ratios"]["saq"] == 2.0


def test_the_ratio_is_that_to_the_best_peer_and_no_queue_is_no_peer() -> None:
    assert WORK["SQLite"][DRAIN]["ratio"] == 2.0
    assert WORK["SQLite"][WAIT]["ratio"] == 2.5


def test_a_page_gets_the_table_and_what_failed_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures: written by `python -m bench --page` -->\nold\n<!-- end of figures -->\nafter\n")
    report.into(page, FOUND)
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| drain, no-op (1/s) | 400 (300-500) | celery 100<br>saq 150<br>no queue 900 | 4 (3-5)<br>2<br>" in text
    assert "saq, noop: slow" in text


def test_the_plot_has_a_bar_for_each_figure_and_says_how_many_times_better_ours_is() -> None:
    drawn = chart.draw(WORK)
    bars = [each.get("class") for each in ET.fromstring(drawn) if each.tag.endswith("rect")]
    assert bars == ["SQLite ours", "bound", "bar", "bar", "SQLite ours", "bar"]
    assert ">4×</text>" in drawn
    assert ">0.4×</text>" in drawn
