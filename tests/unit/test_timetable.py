"""When a schedule is due, right through daylight saving."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.errors import Invalid
from jobs.timetable import Timetable

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def cron(expression: str, zone: str = "UTC") -> Timetable:
    return Timetable(expression, None, zone, ANCHOR)


def every(span: timedelta, anchor: datetime = ANCHOR) -> Timetable:
    return Timetable(None, span, "UTC", anchor)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def due_in(table: Timetable, start: str, end: str) -> list[str]:
    """The due times after `start` and up to `end`, as the clock on the wall shows them, with the offset."""
    times = []
    for time in table.after(at(start)):
        if time > at(end):
            break
        times.append(time.astimezone(ZoneInfo(table.zone)).isoformat(timespec="minutes"))
    return times


def test_a_time_that_the_clock_skips_fires_once_right_after_the_gap() -> None:
    assert due_in(cron("30 2 * * *", BERLIN), "2026-03-28T00:00+01:00", "2026-03-30T23:00+02:00") == [
        "2026-03-28T02:30+01:00",
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:30+02:00",
    ]


def test_two_times_in_the_gap_fire_once_together() -> None:
    assert due_in(cron("15,45 2 * * *", BERLIN), "2026-03-28T12:00+01:00", "2026-03-29T12:00+02:00") == [
        "2026-03-29T03:00+02:00"
    ]


def test_a_time_that_comes_twice_fires_once() -> None:
    assert due_in(cron("30 2 * * *", BERLIN), "2026-10-24T00:00+02:00", "2026-10-26T23:00+01:00") == [
        "2026-10-24T02:30+02:00",
        "2026-10-25T02:30+02:00",
        "2026-10-26T02:30+01:00",
    ]


def test_asked_in_the_second_of_a_double_hour_the_first_is_over() -> None:
    within_second = at("2026-10-25T02:10+01:00")
    assert cron("30 2 * * *", BERLIN).next_after(within_second) == at("2026-10-26T02:30+01:00")


def test_new_york_has_its_own_days() -> None:
    assert due_in(cron("30 2 * * *", NEW_YORK), "2026-03-07T12:00-05:00", "2026-03-09T12:00-04:00") == [
        "2026-03-08T03:00-04:00",
        "2026-03-09T02:30-04:00",
    ]
    assert due_in(cron("30 1 * * *", NEW_YORK), "2026-10-31T12:00-04:00", "2026-11-02T12:00-05:00") == [
        "2026-11-01T01:30-04:00",
        "2026-11-02T01:30-05:00",
    ]
    assert due_in(cron("0 9 * * MON-FRI", NEW_YORK), "2026-10-30T12:00-04:00", "2026-11-03T12:00-05:00") == [
        "2026-11-02T09:00-05:00",
        "2026-11-03T09:00-05:00",
    ]


@pytest.mark.parametrize("day", ["2026-03-29T00:00+01:00", "2026-10-25T00:00+02:00"])
def test_every_minute_means_every_minute_whatever_the_clock_does(day: str) -> None:
    times = list(islice(cron("* * * * *", BERLIN).after(at(day)), 300))
    assert all(later - earlier == timedelta(minutes=1) for earlier, later in pairwise(times))


@pytest.mark.parametrize("day", ["2026-03-29T00:00+01:00", "2026-10-25T00:00+02:00"])
def test_every_hour_means_every_hour(day: str) -> None:
    times = list(islice(cron("0 * * * *", BERLIN).after(at(day)), 12))
    assert all(later - earlier == timedelta(hours=1) for earlier, later in pairwise(times))


def test_a_leap_day() -> None:
    times = list(islice(cron("0 12 29 2 *").after(ANCHOR), 3))
    assert [time.isoformat()[:10] for time in times] == ["2028-02-29", "2032-02-29", "2036-02-29"]


def test_the_last_of_the_month() -> None:
    times = list(islice(cron("0 0 L * *").after(ANCHOR), 3))
    assert [time.isoformat()[:10] for time in times] == ["2026-01-31", "2026-02-28", "2026-03-31"]


@given(
    seconds=st.integers(1, 400_000),
    rounds=st.integers(0, 100_000),
    late=st.floats(0, 0.999),
)
def test_an_interval_never_drifts(seconds: int, rounds: int, late: float) -> None:
    span = timedelta(seconds=seconds)
    table = every(span)
    time = table.next_after(ANCHOR + rounds * span + late * span)
    assert (time - ANCHOR) % span == timedelta(0)
    assert time == ANCHOR + (rounds + 1) * span


def test_an_interval_begins_at_its_anchor() -> None:
    table = every(timedelta(hours=6), anchor=ANCHOR)
    assert table.next_after(ANCHOR - timedelta(days=3)) == ANCHOR
    assert table.next_after(ANCHOR) == ANCHOR + timedelta(hours=6)


@pytest.mark.parametrize(
    ("table", "pointer"),
    [
        (cron("0 0 30 2 *"), "/cron"),
        (cron("0 0 31 4,6,9,11 *"), "/cron"),
        (cron("61 * * * *"), "/cron"),
        (cron("* * * *"), "/cron"),
        (cron("0 * * * * *"), "/cron"),  # six fields: the first would be seconds
        (cron(""), "/cron"),
        (cron("*/0 * * * *"), "/cron"),
        (cron("9-5 * * * *"), "/cron"),
        (cron("@daily"), "/cron"),
        (cron("*/" + "9" * 4400 + " * * * *"), "/cron"),
        (cron("* * * * *", "Mars/Olympus"), "/zone"),
        (cron("* * * * *", "../../etc/passwd"), "/zone"),
        (cron("* * * * *", ""), "/zone"),
        (every(timedelta(milliseconds=500)), "/every"),
        (every(timedelta(0)), "/every"),
        (every(-timedelta(hours=1)), "/every"),
        (Timetable(None, None, "UTC", ANCHOR), "/cron"),
        (Timetable("* * * * *", timedelta(hours=1), "UTC", ANCHOR), "/cron"),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value)[:60],
)
def test_what_can_never_be_due_is_refused(table: Timetable, pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        table.check()
    assert refused.value.errors[0]["pointer"] == pointer


@given(st.text("0123456789*/,-#L W SUNMOJA", max_size=30) | st.text(max_size=20))
@example("* * * * 5L")
@example("0 0 LW * *")
@example("* * * * 1#5,2#1")
@example("0 0 29 2 MON#5")
def test_checking_never_raises_anything_but_invalid(expression: str) -> None:
    try:
        cron(expression, BERLIN).check()
    except Invalid:
        return
    assert cron(expression, BERLIN).next_after(ANCHOR) > ANCHOR


@given(
    expression=st.sampled_from(
        ["30 2 * * *", "0 2,3 * * *", "*/20 2 * * *", "15 * * * *", "0 0 * * SUN", "59 23 L * *", "5 0,1,2,3 * 3,10 *"]
    ),
    zone=st.sampled_from(
        [BERLIN, NEW_YORK, "UTC", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu", "Africa/Cairo", "Asia/Beirut"]
    ),
    start=st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - given UTC beside
)
def test_due_times_rise_and_do_not_depend_on_where_one_asks(expression: str, zone: str, start: datetime) -> None:
    table = cron(expression, zone)
    times = list(islice(table.after(start), 6))
    assert times[0] > start
    for earlier, later in pairwise(times):
        assert later > earlier
        assert table.next_after(earlier) == later
        assert table.next_after(later - timedelta(microseconds=1)) == later
    assert all(time.tzinfo is UTC for time in times)


@pytest.mark.parametrize(
    ("expression", "zone", "around"),
    [
        ("30 2 * * *", BERLIN, "2026-03-29T00:00+00:00"),
        ("30 2 * * *", BERLIN, "2026-10-25T00:00+00:00"),
        ("0 0 * * *", "America/Santiago", "2026-09-06T03:00+00:00"),
        ("30 0 * * *", "Asia/Beirut", "2026-03-28T22:00+00:00"),
        ("45 1,2 * * *", "Australia/Lord_Howe", "2026-04-04T15:00+00:00"),
    ],
)
def test_asked_at_any_minute_around_a_change_of_clocks_the_answer_is_later_and_never_changes(
    expression: str, zone: str, around: str
) -> None:
    table = cron(expression, zone)
    start = at(around) - timedelta(hours=3)
    expected = list(islice(table.after(start - timedelta(days=1)), 6))
    for minute in range(0, 360, 5):
        instant = start + timedelta(minutes=minute)
        assert table.next_after(instant) == next(time for time in expected if time > instant)
