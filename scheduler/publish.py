"""What we have to say ourselves: notices become events."""

from jobs import publication
from runtime.database import transaction

BATCH = 100  # notices a transaction
MOST = 20  # transactions a round


def publish() -> None:
    """Publish what waits in the outbox."""
    for _ in range(MOST):
        if not publication.anything_waits():
            return
        with transaction() as session:
            if publication.publish(session, BATCH) < BATCH:
                return
