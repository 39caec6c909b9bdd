"""The jobs, as Treadle tasks. Loaded by TREADLE_TASK_MODULES=bench.job."""

import time

from pydantic import BaseModel

from bench.marks import mark
from tasks import task

CALL = 0.05  # seconds that a job of the kind "io" waits for somebody else


class Job(BaseModel):
    """When it was sent, where it says that it began, and 160 bytes so that the message has a usual size."""

    at: float
    marks: str
    text: str


@task("bench.noop")
def noop(payload: Job) -> None:
    """Say that it began."""
    mark(payload.marks, payload.at)


@task("bench.io")
def io(payload: Job) -> None:
    """Wait as for an answer from outside, and say that it did."""
    time.sleep(CALL)
    mark(payload.marks, payload.at)
