"""Schedules whose time has come: each due time becomes one job."""

from jobs import schedules
from runtime import clock
from runtime.database import snapshot, transaction


def tick() -> None:
    """Make the jobs that are due, one transaction a schedule."""
    now = clock.now()
    if not schedules.anything_due(now):
        return
    with snapshot() as session:
        due = schedules.due(session, now)
    for schedule_id in due:
        with transaction() as session:
            schedules.tick(session, schedule_id, now)
