"""Times come as text, in the body as in the query."""

from typing import Any

import pytest

from tests.contract.door import Door


@pytest.mark.parametrize("number", [1_800_000_000, 1_800_000_000.5, True])
def test_a_number_is_no_time(door: Door, number: Any) -> None:
    answer = door.post_job(run_at=number)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/run_at"
    assert door.ask("POST", "/v1/events/test", json={"type": "a", "time": number}).status_code == 422
