"""What every queue is given to do. Nothing of ours stands here: the other queues run it in environments of their own."""

import time
from typing import Literal

from bench.marks import mark

CALL = 0.05  # seconds that a job of the kind "io" waits for somebody else
PROCESSES = 2  # of workers, as the machine has cores
TEXT = "x" * 160  # so that a message has a usual size

Kind = Literal["noop", "io"]


def noop(at: float, marks: str) -> None:
    """Say that the job began which was sent at `at`."""
    mark(marks, at)


def io(at: float, marks: str) -> None:
    """Wait as for an answer from outside, and say that it did."""
    time.sleep(CALL)
    mark(marks, at)
