"""What is counted of attempts for Prometheus, once it is committed."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from jobs.states import Ending, State
from runtime import metrics


class Ended(Protocol):
    """A job whose attempt has ended."""

    @property
    def task(self) -> str: ...

    @property
    def queue(self) -> str: ...

    @property
    def started_at(self) -> datetime: ...


def waits(found: Iterable[tuple[str, timedelta]]) -> None:
    """How long claimed jobs had waited, by their queues."""
    queues: defaultdict[str, list[timedelta]] = defaultdict(list)
    for queue, wait in found:
        queues[queue].append(wait)
    for queue, waited in queues.items():
        observe = metrics.wait_seconds.labels(queue).observe
        for wait in waited:
            observe(max(0.0, wait.total_seconds()))


def successes(jobs: Iterable[Ended], now: datetime) -> None:
    """Jobs that succeeded."""
    kinds: defaultdict[tuple[str, str], list[datetime]] = defaultdict(list)
    for job in jobs:
        kinds[job.task, job.queue].append(job.started_at)
    for (task, queue), starts in kinds.items():
        metrics.finished.labels(task, queue, State.SUCCEEDED).inc(len(starts))
        attempts(task, Ending.SUCCEEDED, now, starts)


def attempts(task: str, ending: Ending, now: datetime, starts: Sequence[datetime]) -> None:
    """Attempts of a task that ended alike, by when each had begun."""
    metrics.attempts.labels(task, ending).inc(len(starts))
    observe = metrics.run_seconds.labels(task).observe
    for start in starts:
        observe(max(0.0, (now - start).total_seconds()))
