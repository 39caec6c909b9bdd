"""Workers die between a provider's yes and our record of it, over every capability: each effect is there once."""

import base64
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cli.sandbox.caught import Answered, Caught
from cli.sandbox.post_office import PostOffice
from cli.sandbox.server import Sandbox
from cli.sandbox.stand_in import stand_ins
from jobs.model import Attempt, Job
from jobs.states import Ending, Reason, State
from tasks import catalogue, load
from tasks.capability import Capability
from tasks.provider import ProviderTask
from tests.chaos.conftest import Record
from tests.chaos.forms import forms
from tests.laboratory import Lab

load()
WAYS = {
    task.name: [(task, name, way.task) for name, way in sorted(task.ways.items()) if not way.task.offline]
    for task in catalogue.all()
    if isinstance(task, Capability) and task.run.__module__.startswith("tasks.")
}
"""By capability, those that call somebody."""

PLACES = {"bucket": "sandbox"}
PEOPLE = {"from": "noreply@example.com", "to": ["ada@example.com"]}
PAYLOADS: dict[str, Callable[[str], dict[str, Any]]] = {
    "email.send": lambda mark: {**PEOPLE, "subject": mark, "text": mark},
    "sms.send": lambda mark: {"to": f"+1500{mark[-7:]}", "from": "+15005550006", "text": mark},
    "voice.call": lambda mark: {"to": f"+1500{mark[-7:]}", "from": "+15005550006", "text": mark},
    "storage.put": lambda mark: {"key": mark, "text": "All is well."},
    "storage.copy": lambda mark: {"key": "original", "to_key": mark},
    "storage.delete": lambda mark: {"key": mark},
    "payment.charge": lambda mark: {"amount": 1999, "currency": "EUR", "source": "pm1", "reference": mark},
    "payment.refund": lambda mark: {"payment": mark, "amount": 500, "currency": "EUR"},
    "geocode": lambda mark: {"query": mark},
    "search.index": lambda mark: {"index": "products", "id": mark, "document": {"name": "Loom"}},
    "analytics.track": lambda mark: {"event": "Order Completed", "user_id": mark},
    "social.post": lambda mark: {"text": mark},
}
"""By capability: a payload by whose mark its effect is found again. A new capability needs one."""


@contextmanager
def sandbox(accounts: Path) -> Iterator[Caught]:
    """All providers, played in this process, and the file of the accounts that lead to them."""
    caught = Caught(stand_ins(), kept=100_000)
    with Sandbox(("127.0.0.1", 0), caught) as server, PostOffice(("127.0.0.1", 0), caught) as office:
        for each in (server, office):
            threading.Thread(target=each.serve_forever, args=(0.05,), daemon=True).start()
        given: dict[str, Any] = {"smtp": {"url": f"smtp://127.0.0.1:{office.server_address[1]}"}}
        given |= {name: stand_in.fields(f"{server.url}/{name}") for name, stand_in in stand_ins().items()}
        accounts.write_text(json.dumps({name: {**fields, "rate": "1000/s"} for name, fields in given.items()}))
        yield caught
        server.shutdown()
        office.shutdown()


@pytest.fixture
def caught(tmp_path: Path) -> Iterator[Caught]:
    with sandbox(tmp_path / "accounts.json") as found:
        yield found


def _mark(number: int) -> str:
    return f"M{1_000_000 + number}"


def _effects(caught: Caught) -> Counter[str]:
    """How often each mark had an effect: calls that the provider did not recognise as one it knew."""
    found: Counter[str] = Counter(str(mail.message["Subject"]) for mail in caught.mails)
    writes = [each for each in caught.calls if each.repeats is None and (each.call.method != "GET" or _reads(each))]
    for each in writes:
        words = _words(each)
        at = words.find("M1")
        if at >= 0:
            found[words[at : at + 8]] += 1
    return found


def _reads(each: Answered) -> bool:
    return each.call.provider in {"google-maps", "mapbox"}


def _words(each: Answered) -> str:
    body = each.call.body
    if each.call.provider == "ses":
        body = base64.b64decode(json.loads(body)["Content"]["Raw"]["Data"])
    return f"{each.call.path}?{each.call.query} {body.decode(errors='replace')}"


def _allowed(task: ProviderTask) -> int:
    """Effects that a job may have: one, but that who only reads, or names what is written, may do so again."""
    return 99 if task.repeatable is True else 1


@pytest.mark.timeout(3000)
@forms("by, each, deaths, lost", short=(1, 1, "1/3", 1), long=(9, 1, "0.5", 20), endurance=(9, 8, "0.5", 200))
def test_every_effect_is_there_once_although_workers_die_between_the_yes_and_its_record(
    laboratory: Callable[..., Lab],
    caught: Caught,
    tmp_path: Path,
    record: Record,
    by: int,
    each: int,
    deaths: str,
    lost: int,
) -> None:
    tried = [way for ways in WAYS.values() for way in ways[:by]]
    settings = {"accounts_path": str(tmp_path / "accounts.json"), "poison_crashes": "100", "task_modules": "tests.prompt"}
    lab = laboratory(**settings, worker_pool="prefork")
    lab.api.start()
    lab.add_scheduler()
    lab.add_worker("prefork", 6, failpoints=f"after a provider's call: die {deaths}; before settle: die 0.15")
    ways = {_mark(number): tried[number % len(tried)] for number in range(each * len(tried))}
    jobs = {
        mark: lab.submit(task.name, {**PAYLOADS[task.name](mark), "accounts": [name]})
        for mark, (task, name, _) in ways.items()
    }
    lab.wait_settled(2800)
    effects = _effects(caught)
    with lab.reading() as session:
        ended = {job.id: job for job in session.scalars(sa.select(Job))}
        died = session.scalar(sa.select(sa.func.count()).where(Attempt.outcome == Ending.LOST)) or 0
    unknown = 0
    for mark, (task, name, own) in ways.items():
        job, what = ended[jobs[mark]], f"{task.name} by {name}"
        if job.reason is Reason.UNKNOWN_OUTCOME:
            assert not own.repeatable, f"{what} is parked, and could be repeated"
            assert own.confirm is None, f"{what} is parked, and could be asked about"
            unknown += 1
        else:
            assert job.state is State.SUCCEEDED, f"{what}: {job.error}"
            assert effects[mark], f"{what} succeeded without an effect"
        assert effects[mark] <= _allowed(own), f"{what} was done {effects[mark]} times"
    assert died >= lost, "too few died"
    said = f"{len(jobs)} jobs over {len(tried)} ways, {died} attempts lost, 0 doubled, {unknown} unknown"
    record(1, "worker dies between a provider's yes and its record", "–", said, None)
