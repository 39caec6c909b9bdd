"""What this process's threads write of jobs is committed together: they do not fight for the write lock."""

import os
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from runtime.calls import Awaited, Call, Do, Then
from runtime.group_commit import GroupCommit, writers

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
    answer: Answer = _group().put(change, row=job_id.hex).answer.result()
    return answer


def join(do: Do, item: Any, job_id: UUID, *, insists: bool = False) -> Awaited:
    """Queue an item of a job for `do`, which is given all that wait for it at once. See GroupCommit.join."""
    return _group().join(do, item, row=job_id.hex, insists=insists)


def send(
    do: Do, item: Any, then: Then, row: str = "", *, insists: bool = False, lasting: bool = True, patient: bool = False
) -> None:
    """The same, and do not wait: `then` is told the answer, or an exception. `lasting`: see `database.transaction`."""
    _group().queue(Call(do, item, then, row, insists, lasting, patient))
