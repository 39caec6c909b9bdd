"""What can be done: the catalogue of tasks, one file an integration."""

from jobs import whom
from runtime.settings import settings
from tasks import plain
from tasks.context import Context, current
from tasks.registry import Task, catalogue, plainly, pointer, task

__all__ = ["Context", "Task", "catalogue", "current", "load", "plainly", "pointer", "task"]


def load() -> None:
    """Fill the catalogue: our integrations, the modules that the settings name, and the plain Celery tasks in those."""
    catalogue.load()
    whom.told_by(catalogue.account)
    if settings().task_modules:
        plain.adopt(catalogue)
