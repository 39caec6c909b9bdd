"""Events under kill -9: each, however often it is sent, sets off each of its jobs exactly once."""

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobs.model import Event, Job
from jobs.states import State
from tests.chaos.conftest import Record
from tests.chaos.forms import forms
from tests.laboratory import Lab, Monkey

RETRY = {"max_attempts": 50, "backoff": {"kind": "fixed", "delay": "200ms"}}


@pytest.mark.timeout(1800)
@forms("events, kills", short=(100, 4), long=(1000, 10), endurance=(10_000, 40))
def test_each_event_sent_three_times_under_kills_sets_off_each_of_its_jobs_once(
    laboratory: Callable[..., Lab], record: Record, events: int, kills: int
) -> None:
    lab = laboratory().start()
    call = {"method": "POST", "url": f"{lab.third_party.url}/effect?ms=5", "json": {"order": "{{id}}"}}
    rule = {"name": "effect", "types": ["probe.*"], "task": "http.request", "payload": call, "retry": RETRY}
    assert lab.client.post("/v1/subscriptions", json=rule).status_code == 201
    sends = [number for number in range(events) for _ in range(3)]
    random.shuffle(sends)
    monkey = Monkey([lab.api, *lab.workers], every=1)
    monkey.torment(lambda: _send(lab, sends), kills)
    began = time.monotonic()
    assert lab.wait_settled(900) == {State.SUCCEEDED: 2 * events}  # probe.heard listens, too, in code
    with Session(lab.engine) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Event)) == events
        made = Counter((event_id, task) for event_id, task in session.execute(sa.select(Job.event_id, Job.task)))
    assert set(made.values()) == {1} and len(made) == 2 * events
    assert len(lab.third_party.effects) == events
    what = f"{events} events sent 3 times each, {2 * events} jobs in {monkey.kills.total()} kills"
    record(3, "API and workers killed under events", "–", what, time.monotonic() - began)


def _send(lab: Lab, numbers: list[int], threads: int = 8) -> None:
    """Send each event until it is accepted."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda start: _send_share(lab, numbers[start::threads]), range(threads)))


def _send_share(lab: Lab, numbers: list[int]) -> None:
    with lab.new_client() as client:
        for number in numbers:
            event = {"type": "probe.said", "source": "/chaos", "id": f"e{number}", "data": {"do": "ok"}}
            while not _is_accepted(client, event):
                time.sleep(0.05)


def _is_accepted(client: httpx2.Client, event: dict[str, Any]) -> bool:
    try:
        answer = client.post("/v1/events", json=event)
    except httpx2.TransportError:
        return False  # the API was killed; it comes back
    assert answer.status_code in {200, 202, 503}, answer.text
    return answer.is_success
