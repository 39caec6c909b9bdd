"""What happens around a door: many who ask at once, and a worker who runs what was accepted."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2

from jobs import attempts
from jobs.claims import Claim
from jobs.outcome import Verdict
from runtime.database import transaction
from tests import make


def run(job: dict[str, Any], verdict: Verdict | None = None) -> Claim:
    """Have a worker take the job and, if a verdict is given, end its attempt."""
    with transaction() as session:
        running = make.claim(session, UUID(job["id"]), make.worker(session), datetime.fromisoformat(job["created_at"]))
        assert running is not None
        claim = make.claim_of(running)
        if verdict is not None:
            assert attempts.settle(session, claim, verdict, running.started_at) is not None
    return claim


def at_once(count: int, ask: Callable[[int], httpx2.Response]) -> list[httpx2.Response]:
    """The answers to as many requests, sent at the same moment."""
    ready = threading.Barrier(count)

    def one(number: int) -> httpx2.Response:
        ready.wait(20)
        return ask(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def statuses(answers: list[httpx2.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)
