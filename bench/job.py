"""The job that does nothing, as a Treadle task. Loaded by TREADLE_TASK_MODULES=bench.job."""

from pydantic import BaseModel

from bench.marks import mark
from tasks import task


class Noop(BaseModel):
    """When it was sent, where it says that it began, and 160 bytes so that the message has a usual size."""

    at: float
    marks: str
    text: str


@task("bench.noop")
def noop(payload: Noop) -> None:
    """Say that it began."""
    mark(payload.marks, payload.at)
