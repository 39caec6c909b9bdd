"""The state machine on one page: the states of a job, and the named moves between them."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a job is."""

    SCHEDULED = "scheduled"  # waits in the ledger: for its time, for room in its queue, or for a pause to end
    QUEUED = "queued"  # a hint was sent to the broker: the next free worker takes it
    RUNNING = "running"  # a worker holds it; the row names the worker and the epoch
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the dead letter: the row says why, and can be retried by hand
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # not started before its expires_at


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED})
OPEN = frozenset(State) - FINAL


class Reason(StrEnum):
    """Why a job failed for good."""

    EXHAUSTED = "exhausted"  # its attempts, or its total deadline, are spent
    REJECTED = "rejected"  # the other side said no, and would say it again
    UNAUTHORIZED = "unauthorized"  # credentials refused
    TIMEOUT = "timeout"  # the last attempt ran past its time limit
    POISON = "poison"  # it killed its worker again and again
    UNKNOWN_OUTCOME = "unknown_outcome"  # it may have happened; repeating it blindly could do it twice


class Ending(StrEnum):
    """How one attempt ended."""

    SUCCEEDED = "succeeded"
    RETRY = "retry"
    SNOOZED = "snoozed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    HANDED_BACK = "handed_back"  # its worker was told to stop; no attempt spent
    LOST = "lost"  # its worker died


@dataclass(frozen=True)
class Move:
    """A legal change of state. Every one is a single guarded UPDATE in `jobs.store`."""

    name: str
    sources: frozenset[State]
    target: State
    when: str


def _move(name: str, sources: set[State], target: State, when: str) -> Move:
    return Move(name, frozenset(sources), target, when)


SUBMIT = _move("SUBMIT", set(), State.SCHEDULED, "accepted through the door, by a schedule or by code")
RELEASE = _move("RELEASE", {State.SCHEDULED}, State.QUEUED, "due, its queue has room: a hint goes out")
PARK = _move("PARK", {State.SCHEDULED, State.QUEUED}, State.SCHEDULED, "its account is held: it waits with it")
CLAIM = _move("CLAIM", {State.QUEUED}, State.RUNNING, "a worker takes it; the epoch rises")
SUCCEED = _move("SUCCEED", {State.RUNNING}, State.SUCCEEDED, "the attempt returned")
RETRY = _move("RETRY", {State.RUNNING}, State.SCHEDULED, "the attempt failed, another is allowed")
SNOOZE = _move("SNOOZE", {State.RUNNING}, State.SCHEDULED, "told to come back later; no attempt spent")
HAND_BACK = _move("HAND_BACK", {State.RUNNING}, State.SCHEDULED, "its worker stops; no attempt spent")
RESCUE = _move("RESCUE", {State.RUNNING}, State.SCHEDULED, "its worker died; no attempt spent")
FAIL = _move("FAIL", {State.RUNNING}, State.FAILED, "for good: the dead letter, with a reason")
STOP = _move("STOP", {State.RUNNING}, State.CANCELLED, "cancelled while running, and its task gave way")
CANCEL = _move("CANCEL", {State.SCHEDULED, State.QUEUED}, State.CANCELLED, "cancelled before it ran")
EXPIRE = _move("EXPIRE", {State.SCHEDULED, State.QUEUED}, State.EXPIRED, "its expires_at passed before its first start")
AMEND = _move(
    "AMEND", {State.SCHEDULED, State.QUEUED}, State.SCHEDULED, "its time, priority or payload changed while it waits"
)
REVIVE = _move(
    "REVIVE",
    {State.FAILED, State.CANCELLED, State.EXPIRED},
    State.SCHEDULED,
    "retried by hand, with a new budget of attempts",
)

MOVES = (
    SUBMIT, RELEASE, PARK, CLAIM, SUCCEED, RETRY, SNOOZE, HAND_BACK, RESCUE, FAIL, STOP, CANCEL, EXPIRE, AMEND, REVIVE,
)  # fmt: skip


def diagram() -> str:
    """The machine as a Mermaid state diagram; `docs/states.md` holds it, and a test compares."""
    lines = ["stateDiagram-v2"]
    for move in MOVES:
        sources = [str(source) for source in sorted(move.sources)] or ["[*]"]
        lines += [f"    {source} --> {move.target}: {move.name}" for source in sources]
    lines += [f"    {state} --> [*]" for state in sorted(FINAL)]
    return "\n".join(lines)


def table() -> str:
    """The moves as a Markdown table, beside the diagram."""
    rows = ["| move | from | to | when |", "|---|---|---|---|"]
    cells = ((move.name, ", ".join(sorted(move.sources)) or "–", move.target, move.when) for move in MOVES)
    return "\n".join([*rows, *(f"| {' | '.join(row)} |" for row in cells)])
