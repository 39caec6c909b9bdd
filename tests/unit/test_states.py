"""The state machine, and the page that shows it."""

from pathlib import Path

from jobs import states
from jobs.states import FINAL, MOVES, OPEN, Move, State

PAGE = Path(__file__).parents[2] / "docs" / "states.md"


def test_the_page_shows_what_the_code_does() -> None:
    page = PAGE.read_text()
    assert f"```mermaid\n{states.diagram()}\n```\n" in page, "docs/states.md: put in what jobs.states.diagram() draws"
    assert page.endswith(f"\n{states.table()}\n"), "docs/states.md: put in what jobs.states.table() prints"


def test_moves_have_names_of_their_own() -> None:
    assert len({move.name for move in MOVES}) == len(MOVES)
    assert set(MOVES) == {value for value in vars(states).values() if isinstance(value, Move)}


def test_every_state_can_be_reached_and_every_open_one_left() -> None:
    assert {move.target for move in MOVES} == set(State)
    for state in OPEN:
        assert any(state in move.sources and move.target is not state for move in MOVES)


def test_only_a_revive_leaves_a_final_state_and_none_leaves_success() -> None:
    assert {move.name for move in MOVES if move.sources & FINAL} == {"REVIVE"}
    assert states.REVIVE.sources == FINAL - {State.SUCCEEDED}
    assert states.REVIVE.target is State.SCHEDULED


def test_only_a_claim_starts_an_attempt() -> None:
    assert [move.name for move in MOVES if move.target is State.RUNNING] == ["CLAIM"]
    assert states.CLAIM.sources == {State.QUEUED}


def test_every_job_can_come_to_an_end() -> None:
    reached = {State.SCHEDULED}
    while True:
        further = reached | {move.target for move in MOVES if move.sources & reached}
        if further == reached:
            break
        reached = further
    assert reached == set(State)
