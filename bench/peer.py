"""The same job as plain Celery has it. Broker and result backend come by Celery's own variables, all else is default."""

from celery import Celery

from bench.marks import mark

app = Celery("peer")


@app.task(name="bench.noop")  # type: ignore[untyped-decorator]
def noop(at: float, marks: str, text: str) -> None:
    """Say that it began."""
    mark(marks, at)
