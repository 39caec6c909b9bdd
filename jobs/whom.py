"""Whose account a job would use. The catalogue knows, which stands above; where none is loaded, nobody does."""

from collections.abc import Callable
from typing import Any

Teller = Callable[[str, Any], str | None]
"""Tells the account from a task's name and a payload as it was given."""


def _nobody(task: str, payload: Any) -> str | None:
    return None


_tell: Teller = _nobody


def told_by(teller: Teller) -> None:
    """Ask this one from now on."""
    global _tell  # noqa: PLW0603 - one catalogue a process
    _tell = teller


def account(task: str, payload: Any) -> str | None:
    """The account, as far as it is known."""
    return _tell(task, payload)
