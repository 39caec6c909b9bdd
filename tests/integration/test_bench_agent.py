"""How the bench asks the other queues."""

import os
import sys
from collections.abc import Iterator

import pytest

from bench.agent import Agent


@pytest.fixture
def agent() -> Iterator[Agent]:
    """Plain Celery's, with a Redis that nobody runs."""
    agent = Agent(sys.executable, "celery", {**os.environ, "BENCH_BROKER": "redis://127.0.0.1:1/0"})
    yield agent
    agent.end()


def test_a_queue_says_what_it_does_and_how_its_workers_are_started(agent: Agent) -> None:
    assert "noop" in agent.ask("facts", 8000)["does"]
    first, second = agent.ask("workers", "io", 50)
    assert first[-4:] == second[-4:] == ["--pool", "threads", "--concurrency", "50"]


def test_a_question_that_fails_says_why_and_the_next_one_is_answered(agent: Agent) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)celery failed at stored: .*ConnectionError"):
        agent.ask("stored", 1)
    assert agent.ask("wipe") is None
