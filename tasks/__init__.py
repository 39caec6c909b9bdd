"""What can be done: the catalogue of tasks, one file an integration."""

from tasks.context import Context, current
from tasks.registry import Task, catalogue, pointer, task

__all__ = ["Context", "Task", "catalogue", "current", "pointer", "task"]
