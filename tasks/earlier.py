"""Finding out how an earlier call ended, from a provider that lists what it has but knows no keys of ours."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from jobs.errors import Ambiguous
from tasks.context import Context

Found = TypeVar("Found")

SETTLED = timedelta(minutes=1)
"""How long a provider's lists may lag behind, where it does not say."""

_APART = timedelta(seconds=5)  # a provider's clock and ours


def since(context: Context) -> datetime:
    """From when on something that this job made may be listed."""
    first = context.book.first_call() if context.book is not None else None
    return (first or context.accepted_at) - _APART


def pick(listed: Sequence[Found], same: Callable[[Found], bool]) -> Found | None:
    """The oldest one that is as the job would have made it, the newest being listed first; None if nothing was made at all.

    Raises:
        Ambiguous: something else was made. Providers alter texts, so that may be it.
    """
    matching = [each for each in listed if same(each)]
    if listed and not matching:
        raise Ambiguous("Something was made there since the call, but not with the same words. A person must look.")
    return matching[-1] if matching else None
