"""Claims and outcomes that come together are committed together: the pool's threads do not fight for the write lock."""

import os
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from runtime.group_commit import GroupCommit, writers

Answer = TypeVar("Answer")


class _Writes:
    """This process's writers; made anew after a fork."""

    pid = 0
    group: GroupCommit


def write(do: Callable[[Session], Answer], job_id: UUID) -> Answer:
    """Do a change of a job in a transaction shared with what else waits, and return its result once that is committed.

    Raises:
        Exception: what `do` raised, its change undone; or what the commit raised, nothing stored.
    """
    if _Writes.pid != os.getpid():
        _Writes.group = GroupCommit(writers())
        _Writes.pid = os.getpid()
    answer: Answer = _Writes.group.put(do, row=f"job {job_id}").answer.result()
    return answer
