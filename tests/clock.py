"""A clock in the test's hands; the fixture `clock` makes it the clock of all code under test."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.instant = START
        self.seconds = 1000.0

    def now(self) -> datetime:
        """The instant it is."""
        return self.instant

    def monotonic(self) -> float:
        """The seconds that have really passed."""
        return self.seconds

    def advance(self, span: timedelta | float) -> datetime:
        """Let time pass, on both clocks; a number is of seconds. Returns the instant it is then."""
        span = span if isinstance(span, timedelta) else timedelta(seconds=span)
        self.seconds += span.total_seconds()
        return self.step(span)

    def step(self, span: timedelta) -> datetime:
        """Set the wall clock forth or back, while no time passes."""
        self.instant += span
        return self.instant
