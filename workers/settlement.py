"""Recording how an attempt ended."""

from sqlalchemy.orm import Session
from tenacity import retry, retry_if_exception_type, wait_exponential

from jobs import store
from jobs.model import Job
from jobs.outcome import Verdict
from runtime import clock
from runtime.database import Unavailable
from workers.member import write_record
from workers.running import Running
from workers.writes import write


@retry(retry=retry_if_exception_type(Unavailable), wait=wait_exponential(0.1, max=2))
def settle(running: Running, verdict: Verdict) -> Job | None:
    """Record the verdict, waiting for the database as long as it takes: the work is done, its outcome must not be lost.

    Returns the job as it now stands; None if the claim had been overtaken.
    """

    def record(session: Session) -> Job | None:
        write_record(session, running)
        return store.settle(session, running.claim, verdict, clock.now())

    return write(record, running.claim.job_id)
