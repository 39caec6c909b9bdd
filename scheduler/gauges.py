"""The gauges that only the ledger can tell: depth and age of the queues, the dead letter, the fleet."""

from jobs import holds, lanes, liveness, queries
from jobs.model import Cause
from jobs.states import State
from runtime import clock, metrics
from runtime.database import snapshot

MOST = 100_000  # held jobs of an account that are counted

_seen: set[str] = set()  # accounts that have been held


def refresh() -> None:
    """Read them anew. Several schedulers show the same figures: take the maximum."""
    now = clock.now()
    with snapshot() as session:
        found, dead, workers = lanes.lanes(session), queries.dead_counts(session), liveness.live(session)
        held = {name: (hold, holds.parked(session, name, MOST)) for name, hold in holds.read().items()}
    for lane in found:
        for state, count in ((State.SCHEDULED, lane.scheduled), (State.QUEUED, lane.queued), (State.RUNNING, lane.running)):
            metrics.queue_jobs.labels(lane.name, state).set(count)
        metrics.oldest_ready.labels(lane.name).set(lane.oldest_ready.total_seconds() if lane.oldest_ready else 0)
        metrics.dead_jobs.labels(lane.name).set(dead.get(lane.name, 0))
    for account in {*_seen, *held}:  # one that was held and is not any more shows so
        hold, waiting = held.get(account, (None, 0))
        metrics.account_open.labels(account).set(hold is not None and hold.cause is Cause.CIRCUIT)
        metrics.account_held.labels(account).set(waiting)
    _seen.update(held)
    metrics.live_workers.set(len(workers))
    metrics.heartbeat_age.set(max(((now - worker.beat_at).total_seconds() for worker in workers), default=0))
