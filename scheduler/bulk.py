"""Bulk actions, a batch at a time."""

from jobs import bulk_actions
from runtime import clock
from runtime.database import transaction

SLICE = 0.5  # seconds that one look may take: other chores wait meanwhile


def act() -> None:
    """Go on with the bulk actions that run, in turn."""
    until = clock.monotonic() + SLICE
    due = bulk_actions.running(clock.now())
    while due and clock.monotonic() < until:
        action_id = due.pop(0)
        with transaction() as session:
            if bulk_actions.step(session, action_id, clock.now()):
                due.append(action_id)
