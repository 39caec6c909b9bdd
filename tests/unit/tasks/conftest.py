"""An attempt to run in, and the other side of its calls."""

import socket
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from tasks import egress, http
from tasks.context import Context, enter, leave
from tests.unit.tasks.peers import Handle, Internet, Trap, serving


@pytest.fixture(autouse=True)
def _no_connection_left(configure: Callable[..., None]) -> Iterator[None]:
    http.close()
    yield
    http.close()


@pytest.fixture
def attempt() -> Iterator[Context]:
    """An attempt, and the code under test runs in it."""
    context = Context(job_id=uuid4(), task="http.request")
    token = enter(context)
    yield context
    leave(token)


@pytest.fixture
def trap() -> Iterator[Trap]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Trap(listener)


@pytest.fixture
def serve() -> Iterator[Callable[[Handle], int]]:
    with serving() as start:
        yield start


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Internet:
    made = Internet()
    monkeypatch.setattr(egress, "look_up", made.look_up)
    monkeypatch.setattr(egress, "dial", made)
    return made
