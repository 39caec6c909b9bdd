"""Times and lengths as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from cli import show

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.042, "0.04 s"), (1.24, "1.2 s"), (14, "14 s"), (119, "119 s"), (300, "5 min"), (7200, "2 h"), (172_800, "2 d")],
)
def test_spans(seconds: float, text: str) -> None:
    assert show.span(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.5, "now"), (-5, "5.0 s ago"), (600, "in 10 min")])
def test_distances(seconds: float, text: str) -> None:
    assert show.when((NOW + timedelta(seconds=seconds)).isoformat(), NOW) == text


def test_no_time_is_a_dash() -> None:
    assert show.when(None) == "–"


def test_between() -> None:
    assert show.between("2026-01-01T00:00:00Z", "2026-01-01T00:00:01.500Z") == 1.5
    assert show.between("2025-12-31T23:59:58Z", None, NOW) == 2.0
    assert show.between(None, None) == 0.0


def test_a_table_in_a_pipe_is_wide_enough_and_takes_markup_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    show.table(("ID", "NAME"), [("x" * 36, "[red]" + "y" * 100)], empty="Nothing.")
    out = capsys.readouterr().out
    assert "x" * 36 in out
    assert "[red]" + "y" * 100 in out
    show.table(("ID",), [], empty="Nothing.")
    assert capsys.readouterr().out == "Nothing.\n"
