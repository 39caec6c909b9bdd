"""A method that is not allowed is told which ones are."""

import pytest

from tests.contract.door import Door


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("OPTIONS", "/v1/jobs", "GET, POST"),
        ("PUT", "/v1/schedules/nightly", "DELETE, GET, PATCH"),
        ("POST", "/v1/jobs/01980000-0000-7000-8000-000000000000", "GET, PATCH"),
        ("GET", "/v1/events/replay", "POST"),
        ("PATCH", "/v1/jobs/count", "GET"),
    ],
)
def test_the_allow_header_has_every_method_of_the_path_and_no_other(
    method: str, path: str, allowed: str, door: Door
) -> None:
    answer = door.ask(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_what_is_no_id_is_still_told_as_such(door: Door) -> None:
    assert door.ask("GET", "/v1/jobs/nonsense").status_code == 422
