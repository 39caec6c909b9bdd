"""Changes that wait to be committed together with others."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.orm import Session

log = structlog.get_logger()


class Overtaken(Exception):
    """Someone gave a call up while its transaction was open."""


Do = Callable[[Session, list[Any]], Sequence[Any]]
"""What a call does: it answers for each item, with an exception for one that it refuses."""
Then = Callable[[Any], object]
"""What hears the answer of a call, or an exception, in a thread that has other work to do."""


@dataclass(eq=False, slots=True)
class Call:
    """A change that waits for its turn."""

    do: Do
    item: Any
    then: Then
    row: str = ""
    insists: bool = False
    lasting: bool = True  # see `transaction`
    patient: bool = False  # nobody waits for it: it can share the next commit, if one has just been
    given_up: bool = False

    def is_wanted(self) -> bool:
        """Whether its caller still waits; from then on it cannot cancel."""
        return True

    def end(self, answer: Any) -> None:
        """Tell what became of it."""
        try:
            self.then(answer)
        except Exception:
            log.exception("an answer was not taken")


class Awaited(Call):
    """A call whose answer can be waited for."""

    __slots__ = ("answer",)

    def __init__(self, do: Do, item: Any, row: str = "", *, insists: bool = False) -> None:
        self.answer: Future[Any] = Future()
        super().__init__(do, item, self._keep, row, insists)

    def is_wanted(self) -> bool:
        return self.answer.running() or self.answer.set_running_or_notify_cancel()

    def _keep(self, answer: Any) -> None:
        if isinstance(answer, BaseException):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


def alone(session: Session, changes: list[Callable[[Session], Any]]) -> list[Any]:
    """The `do` of changes that have nothing in common."""
    return [change(session) for change in changes]
