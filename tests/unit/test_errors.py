"""The errors: what they say, and what they keep."""

from uuid import UUID

import pytest

from jobs import errors
from jobs.errors import Invalid, JobError, JobNotFound, MoveRefused, RateLimited, TaskError

ID = UUID(int=7)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (JobNotFound(ID), f"There is no job {ID}."),
        (MoveRefused("a retry", "running"), "The job is running; a retry is not possible."),
        (errors.ScheduleNotFound("x"), "There is no schedule 'x'."),
        (Invalid.at("/cron", "is wrong"), "/cron: is wrong"),
    ],
)
def test_the_callers_errors_are_sentences(error: JobError, sentence: str) -> None:
    assert isinstance(error, JobError)
    assert str(error) == sentence


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    lines = [line.lstrip(" │├└─") for line in (errors.__doc__ or "").splitlines()]
    listed = {line.split()[0] for line in lines if line and line[0].isupper() and line.split()[0].isidentifier()}
    assert {kind.__name__ for kind in kinds} == listed - {"What", "An"}


def test_what_the_other_side_said_is_kept() -> None:
    error = RateLimited("slowly", status=429, code="rate_limit", detail=[1])
    assert isinstance(error, TaskError)
    assert (error.status, error.code, error.detail, error.after) == (429, "rate_limit", [1], None)
