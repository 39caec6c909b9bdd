"""A suspect's own process: a job under which workers died runs where it can kill only itself and its guilt is sure."""

import os
import signal
import subprocess
import sys
import threading
from uuid import UUID

import structlog
from tenacity import retry, retry_if_exception_type, wait_exponential

import tasks
from jobs import attempts, liveness, store
from jobs.claims import Claim, Taken
from jobs.model import Job
from jobs.outcome import Stopped
from runtime import logs
from runtime.database import Unavailable, snapshot, transaction
from runtime.process import die_with_parent
from runtime.settings import settings
from workers.attempt import attempt, begin
from workers.member import Member
from workers.running import Running
from workers.settlement import settle

log = structlog.get_logger()

GLANCE = 0.2  # seconds between looks at the deadline
_SEATS = threading.BoundedSemaphore(2)  # a dead worker may leave many suspects; each process costs as much as a worker


def run(job: Taken, member: Member) -> Job | None:
    """Run a suspect in a process of its own. Returns the job as it was left; None if it was overtaken."""
    with _SEATS:
        return _run(job, member)


def _run(job: Taken, member: Member) -> Job | None:
    running = begin(job, member)
    heard, said = os.pipe()
    command = [
        sys.executable,
        "-m",
        "workers.isolation",
        str(job.id),
        str(job.epoch),
        str(member.id),
        str(os.getpid()),
        str(said),
    ]
    log.warning("a suspect runs alone", crashes=job.crashes)
    try:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(said,)) as child:  # noqa: S603 - our own module
            os.close(said)
            running.on_cancel = child.terminate
            code = _await(child, running)
        had_begun = os.read(heard, 1) == b"."
        return _left(job, running, code, had_begun)
    finally:
        os.close(heard)
        member.roll.remove(running)


def _await(child: "subprocess.Popen[bytes]", running: Running) -> int:
    while True:
        try:
            return child.wait(GLANCE)
        except subprocess.TimeoutExpired:
            if running.fenced:  # past its time, or handed back
                child.kill()


@retry(retry=retry_if_exception_type(Unavailable), wait=wait_exponential(0.1, max=2))
def _left(job: Taken, running: Running, code: int, had_begun: bool) -> Job | None:
    if running.fenced:
        return running.settled
    if running.cancelled and code != 0:
        return settle(running, Stopped())
    if code == 0:
        with snapshot() as session:
            return store.find(session, job.id)
    log.error("a suspect's process died", exit_code=code, had_begun=had_begun)
    with transaction() as session:
        return liveness.rescue(session, job, poison=settings().poison_crashes, guilty=had_begun)


def main(job_id: str, epoch: str, worker: str, parent: str, said: str) -> None:
    """The child: run the attempt under the parent's claim, settle it, and end with 0."""
    die_with_parent(int(parent), signal.SIGKILL)
    logs.configure("suspect")
    tasks.load()
    with snapshot() as session:
        job = attempts.held(session, Claim(UUID(job_id), int(epoch), UUID(worker)))
    if job is None:
        return
    os.write(int(said), b".")
    member = Member("isolated", (), 1, id=UUID(worker), always_trusted=True)
    with logs.bound(job_id=job_id, attempt=job.attempt, task=job.task):
        settle(*attempt(tasks.catalogue.find(job.task), job, member))


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # a thread that the task left behind must not hold the verdict up
