"""Which jobs a key reaches: those of some tasks, in some queues. It sees no others, and makes none."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, true
from sqlalchemy.orm import InstrumentedAttribute

from jobs.model import Job

PATTERN = r"^[A-Za-z0-9_.:-]*\*?$"
"""A name, or the beginning of names and a `*`."""


@dataclass(frozen=True)
class Reach:
    """Patterns of tasks and of queues; none at all: any."""

    tasks: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()

    @property
    def is_bounded(self) -> bool:
        """Whether there is anything that it does not reach."""
        return bool(self.tasks or self.queues)

    def covers(self, task: str, queue: str) -> bool:
        """Whether a job of this task in this queue is within it."""
        return _fits(task, self.tasks) and self.covers_queue(queue)

    def covers_queue(self, queue: str) -> bool:
        """Whether jobs in this queue may be within it."""
        return _fits(queue, self.queues)

    def criterion(self, entity: type[Job]) -> ColumnElement[bool]:
        """The same, for the ledger."""
        return and_(_like(entity.task, self.tasks), _like(entity.queue, self.queues))


EVERYTHING = Reach()


def is_pattern(text: str) -> bool:
    """Whether it can be a pattern."""
    return bool(text) and re.match(PATTERN, text) is not None


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(_begins(name, pattern) for pattern in patterns)


def _begins(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _like(column: InstrumentedAttribute[str], patterns: Iterable[str]) -> ColumnElement[bool]:
    """By beginnings, and not by LIKE: SQLite's does not tell A from a."""
    some = [
        func.substr(column, 1, len(pattern) - 1) == pattern[:-1] if pattern.endswith("*") else column == pattern
        for pattern in patterns
    ]
    return or_(*some) if some else true()
