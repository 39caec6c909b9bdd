"""What we have to say ourselves: notices become events."""

import tasks
from jobs import publication
from runtime.database import transaction

BATCH = 100  # notices a transaction
MOST = 20  # transactions a round


def publish() -> None:
    """Publish what waits in the outbox."""
    for _ in range(MOST):
        if not publication.anything_waits():
            return
        tasks.load()  # their `on=` are rules too; only who has something to say pays for it
        with transaction() as session:
            if publication.publish(session, BATCH) < BATCH:
                return
