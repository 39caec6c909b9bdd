"""When a schedule is due: cron expressions in a time zone, right through daylight saving, and plain intervals. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from jobs.errors import Invalid


@dataclass(frozen=True)
class Timetable:
    """Either `cron` (five fields, read in `zone`) or `every` (counted from `anchor`).

    Daylight saving follows Debian's cron, as CronSim does: a time that the clock skips fires right after the gap, a time
    that comes twice fires once; expressions with `*` in the hour go by real time.
    """

    cron: str | None
    every: timedelta | None
    zone: str
    anchor: datetime

    def check(self) -> None:
        """Raises Invalid, pointing at the field, if this can never be due."""
        if (self.cron is None) == (self.every is None):
            raise Invalid.at("/cron", "Give either cron or every.")
        if self.zone not in available_timezones():
            raise Invalid.at("/zone", f"{self.zone!r} is no IANA time zone, such as Europe/Berlin.")
        if self.every is not None and self.every < timedelta(seconds=1):
            raise Invalid.at("/every", "The shortest interval is one second.")
        if self.cron is not None:
            if len(self.cron.split()) != 5:
                raise Invalid.at("/cron", f"{self.cron!r} has not five fields: minute, hour, day, month, day of the week.")
            try:
                next(iter(CronSim(self.cron, self.anchor.astimezone(ZoneInfo(self.zone)))))
            except (CronSimError, ValueError) as error:
                raise Invalid.at("/cron", f"{self.cron!r} is no cron expression: {error}.") from None
            except StopIteration:
                raise Invalid.at("/cron", f"{self.cron!r} is never due.") from None

    def after(self, instant: datetime) -> Iterator[datetime]:
        """All due times later than `instant`, in UTC, in order."""
        if self.every is not None:
            count = max(0, (instant - self.anchor) // self.every + 1)
            while True:
                yield self.anchor + count * self.every
                count += 1
        if self.cron is not None:
            for due in CronSim(self.cron, instant.astimezone(ZoneInfo(self.zone))):
                if (found := due.astimezone(UTC)) > instant:  # within the second of a double hour CronSim names the first
                    yield found

    def next_after(self, instant: datetime) -> datetime:
        """The first due time later than `instant`."""
        return next(self.after(instant))
