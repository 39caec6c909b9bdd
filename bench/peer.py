"""The same jobs as plain Celery has them. Broker and result backend come by Celery's own variables, all else is default."""

import time

from celery import Celery

from bench.job import CALL
from bench.marks import mark

app = Celery("peer")


@app.task(name="bench.noop")  # type: ignore[untyped-decorator]
def noop(at: float, marks: str, text: str) -> None:
    """Say that it began."""
    mark(marks, at)


@app.task(name="bench.io")  # type: ignore[untyped-decorator]
def io(at: float, marks: str, text: str) -> None:
    """Wait as for an answer from outside, and say that it did."""
    time.sleep(CALL)
    mark(marks, at)
