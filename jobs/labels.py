"""Labels: the tags and metadata of jobs as rows of their own, so that jobs are found by them on an index."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.orm import Session

from jobs.model import Job, Label
from jobs.order import Order
from runtime.prepared import inserting

_INSERT = inserting(Label, "tenant", "label", "job_id")


def of_tag(tag: str) -> str:
    """A tag as a label."""
    return f"tag {tag}"


def of_metadata(name: str, value: str) -> str:
    """A pair of metadata as a label; the length tells where the name ends."""
    return f"meta {len(name)} {name}={value}"


def write(session: Session, made: Iterable[tuple[Order, Job]]) -> None:
    """Note the labels of new jobs."""
    rows: list[tuple[str, str, UUID]] = []
    for order, job in made:
        if order.tags or order.metadata:
            labels = {*map(of_tag, order.tags), *(of_metadata(name, value) for name, value in order.metadata.items())}
            rows += ((order.tenant, label, job.id) for label in labels)
    if rows:
        _INSERT.execute(session.connection(), rows)
