"""Whom a capability shall ask, where its example cannot know."""

from collections.abc import Callable
from typing import Any

from jobs.errors import Invalid
from tasks import Task
from tasks.capability import Capability


def whom(task: Task) -> dict[str, Any]:
    """Whom a capability shall ask, where that must be said: this door knows accounts of all providers."""
    if not isinstance(task, Capability) or task.alike:
        return {}
    choices = [{"accounts": [name]} for name in sorted(task.ways)]
    return next(whom for whom in choices if takes(task.accept, {**task.example, **whom}))


def takes(door: Callable[[Any], Any], payload: Any) -> bool:
    """Whether a payload is let in."""
    try:
        door(payload)
    except Invalid:
        return False
    return True
