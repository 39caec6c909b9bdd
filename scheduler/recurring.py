"""Schedules whose time has come: each due time becomes one job."""

from jobs import schedules
from runtime import clock
from runtime.database import snapshot, transaction
from scheduler.rounds import until


def tick() -> float | None:
    """Make the jobs that are due, one transaction a schedule. Returns the seconds until the next is, if there is one."""
    now, first = clock.now(), schedules.next_due()
    if first is None or first > now:
        return until(first)
    with snapshot() as session:
        due = schedules.due(session, now)
    for schedule_id in due:
        with transaction() as session:
            schedules.tick(session, schedule_id, now)
    return until(schedules.next_due())
