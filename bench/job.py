"""The jobs, as Treadle tasks. Loaded by TREADLE_TASK_MODULES=bench.job."""

from pydantic import BaseModel

from bench import work
from tasks import task


class Job(BaseModel):
    """When it was sent, where it says that it began, and some text."""

    at: float
    marks: str
    text: str


@task("bench.noop")
def noop(payload: Job) -> None:
    """Do nothing."""
    work.noop(payload.at, payload.marks)


@task("bench.io")
def io(payload: Job) -> None:
    """Wait."""
    work.io(payload.at, payload.marks)
