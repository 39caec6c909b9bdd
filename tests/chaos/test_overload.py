"""One caller of three sends five times what the workers can do: the others stay punctual, and the flood is refused."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import psutil
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobs import keys
from jobs.model import ApiKey, Job
from jobs.states import State
from tests.chaos.conftest import Record
from tests.laboratory import Lab

SLOTS, LASTS = 8, 0.8  # jobs at once, and seconds that one takes: ten a second
MODEST, FLOOD = 1.0, 50.0  # jobs a second of a modest caller, and of the one who floods
SECONDS = 15.0
SENDERS = 6  # connections of the flood


@pytest.fixture(params=["sqlite"])
def ledger_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """It is about the order, which both databases keep."""
    return f"sqlite:///{tmp_path_factory.mktemp('overload') / 'treadle.db'}"


@pytest.fixture
def lab(laboratory: Callable[..., Lab]) -> Lab:
    made = laboratory(fair_share=str(SLOTS // 2), shed_after="4s", door_patience="10s")
    made.api.start()
    made.add_scheduler()
    made.add_worker(slots=SLOTS)
    made.wait_for(made.submit(), State.SUCCEEDED)
    return made


@pytest.fixture
def callers(lab: Lab) -> Iterator[dict[str, httpx2.Client]]:
    """Three, each with a key of its own."""
    made = {name: _client(lab, name) for name in ("flood", "first", "second")}
    yield made
    for client in made.values():
        client.close()


def test_a_flood_from_one_caller_leaves_the_others_punctual_and_is_refused_in_time(
    lab: Lab, callers: dict[str, httpx2.Client], record: Record
) -> None:
    with ThreadPoolExecutor(SENDERS + 2) as pool:
        list(pool.map(lambda name: _send(callers[name], MODEST, SECONDS / 2), ("first", "second")))
        lab.wait_settled(60)
        normal, memory = _p95(lab, "first", "second"), _memory(lab)
        begun = time.time()
        flood = [pool.submit(_send, callers["flood"], FLOOD / SENDERS, SECONDS) for _ in range(SENDERS)]
        modest = [pool.submit(_send, callers[name], MODEST, SECONDS) for name in ("first", "second")]
        answers = [answer for doing in flood for answer in doing.result()]
        others = [answer for doing in modest for answer in doing.result()]
    during = _p95(lab, "first", "second", since=begun)
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused, "the flood went on for longer than the queue may be late"
    assert {answer.json()["type"] for answer in refused} == {"/problems/overloaded"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert callers["flood"].get("/v1/jobs").status_code == 200, "reads go on"
    assert {answer.status_code for answer in others} == {202}
    assert set(lab.wait_settled(120)) == {State.SUCCEEDED}
    grown = _memory(lab) - memory
    times = len(answers) / SECONDS / (SLOTS / LASTS)
    print(
        f"{times:.1f} x capacity, {len(refused)} of {len(answers)} refused; others' p95 {normal:.2f} s, then {during:.2f} s"
    )
    assert during <= 2 * normal
    assert grown < 100e6
    ours = f"others' p95 {during / normal:.1f} x, the flood gets 503; {grown / 1e6:.0f} MB"
    record(17, f"{times:.1f} x capacity from one of 3 callers", "–", ours, None)


def _client(lab: Lab, name: str) -> httpx2.Client:
    with Session(lab.engine) as session, session.begin():
        key = keys.create(session, name, "write")
    client = lab.new_client()
    client.headers["authorization"] = f"Bearer {key}"
    return client


def _send(client: httpx2.Client, rate: float, seconds: float) -> list[httpx2.Response]:
    """Send at a rate, whatever becomes of it."""
    body: dict[str, Any] = {"task": "probe.run", "payload": {"do": "sleep", "seconds": LASTS}}
    answers, started = [], time.monotonic()
    while (now := time.monotonic() - started) < seconds:
        if len(answers) < now * rate:
            answers.append(client.post("/v1/jobs", json=body))
        else:
            time.sleep((len(answers) - now * rate) / rate)
    return answers


def _p95(lab: Lab, *callers: str, since: float = 0) -> float:
    """Of the seconds from acceptance to the end."""
    query = (
        sa.select(Job.created_at, Job.finished_at)
        .join(ApiKey, ApiKey.id == Job.caller)
        .where(ApiKey.name.in_(callers), Job.finished_at.is_not(None))
    )
    with Session(lab.engine) as session:
        took = sorted((end - start).total_seconds() for start, end in session.execute(query) if start.timestamp() > since)
    return took[int(len(took) * 0.95)]


def _memory(lab: Lab) -> int:
    return sum(psutil.Process(part.pid).memory_info().rss for part in lab.parts)
