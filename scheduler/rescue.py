"""Jobs of dead workers are taken back."""

import structlog

from jobs import liveness
from runtime import clock
from runtime.database import snapshot, transaction
from runtime.settings import settings

log = structlog.get_logger()


class Rescue:
    """Watches the heartbeats, buries the silent, and gives their jobs back."""

    def __init__(self) -> None:
        self._watch: liveness.Watch | None = None

    def look(self) -> None:
        """One look at all workers."""
        self._watch = self._watch or liveness.Watch(settings().lease)
        for worker in self._watch.silent(liveness.pulses()):
            asked = clock.monotonic()
            with transaction() as session:
                session.connection()  # on SQLite it waits for the write lock here
                if clock.monotonic() - asked > settings().heartbeat.total_seconds():
                    self._watch = None  # who could not write blames nobody for not writing: all silences count anew
                    return
                buried = liveness.bury(session, worker, self._watch.seen[worker][0])
            if buried:
                log.warning("a worker is dead: silent for a lease", worker=str(worker))
        if liveness.any_orphan():
            self._take_back()

    @staticmethod
    def _take_back() -> None:
        with snapshot() as session:
            orphans = liveness.orphans(session)
        for start in range(0, len(orphans), 50):  # small transactions: others write too
            with transaction() as session:
                for job in orphans[start : start + 50]:
                    rescued = liveness.rescue(session, job, poison=settings().poison_crashes)
                    if rescued is not None:
                        log.warning("job taken back from a dead worker", job_id=str(job.id), state=rescued.state)
