"""The gauges that only the ledger can tell: depth and age of the queues, the dead letter, the fleet."""

from jobs import liveness, queries, queues
from jobs.states import State
from runtime import clock, metrics
from runtime.database import snapshot


def refresh() -> None:
    """Read them anew. Several schedulers show the same figures: take the maximum."""
    now = clock.now()
    with snapshot() as session:
        lanes, dead, workers = queues.lanes(session), queries.dead_counts(session), liveness.live(session)
    for lane in lanes:
        for state, count in ((State.SCHEDULED, lane.scheduled), (State.QUEUED, lane.queued), (State.RUNNING, lane.running)):
            metrics.queue_jobs.labels(lane.name, state).set(count)
        metrics.oldest_ready.labels(lane.name).set(lane.oldest_ready.total_seconds() if lane.oldest_ready else 0)
        metrics.dead_jobs.labels(lane.name).set(dead.get(lane.name, 0))
    metrics.live_workers.set(len(workers))
    metrics.heartbeat_age.set(max(((now - worker.beat_at).total_seconds() for worker in workers), default=0))
