"""What this process's threads write of jobs is committed together: they do not fight for the write lock."""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from runtime.group_commit import Call, GroupCommit, writers

Answer = TypeVar("Answer")


class _Writes:
    """This process's writers; made anew after a fork."""

    pid = 0
    group: GroupCommit


def _group() -> GroupCommit:
    if _Writes.pid != os.getpid():
        _Writes.group = GroupCommit(writers())
        _Writes.pid = os.getpid()
    return _Writes.group


def write(change: Callable[[Session], Answer], job_id: UUID) -> Answer:
    """Do a change of a job in a transaction shared with what else waits, and return its result once that is committed.

    Raises:
        Exception: what `change` raised, undone; or what the commit raised, nothing stored.
    """
    answer: Answer = _group().put(change, row=f"job {job_id}").answer.result()
    return answer


def join(
    do: Callable[[Session, list[Any]], Sequence[Any]], item: Any, job_id: UUID | None = None, *, insists: bool = False
) -> Call:
    """Queue an item of a job, or of many, for `do`, which is given all that wait for it at once. See GroupCommit.join."""
    return _group().join(do, item, row=f"job {job_id}" if job_id else "", insists=insists)
