"""Starting again what died: sooner the first time, never too often."""

from cli.up.service import Backoff


def test_waits_double_up_to_ten_seconds() -> None:
    backoff = Backoff()
    assert [backoff.after(1.0) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_half_a_minute_of_life_forgives() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after(0.1)
    assert backoff.after(30.0) == 0.2
    assert backoff.after(0.1) == 0.4


def test_a_thousand_deaths_are_counted_without_overflow() -> None:
    backoff = Backoff()
    assert {backoff.after(0.0) for _ in range(3000)} >= {10.0}
