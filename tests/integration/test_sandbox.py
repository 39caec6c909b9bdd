"""The sandbox plays every provider, so that each task's own example is done; and it shows what it caught, safely."""

import json
import smtplib
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Engine

from cli.sandbox.caught import Caught
from cli.sandbox.post_office import PostOffice
from cli.sandbox.server import Sandbox
from cli.sandbox.stand_in import stand_ins
from jobs.states import State
from tasks import catalogue, clients, load
from tasks.provider import ProviderTask, providers
from tests.trial import Trial

load()
OURS = sorted(name for name, provider in providers.items() if provider.account.__module__.startswith("tasks.integrations."))
ELSEWHERE = {"smtp"}  # the post office

TASKS = [task for task in catalogue.all() if isinstance(task, ProviderTask) and task.provider.name in OURS]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # one of Apprise's plugins


@pytest.fixture(scope="module")
def caught() -> Caught:
    return Caught(stand_ins())


@pytest.fixture(scope="module")
def office(caught: Caught) -> Iterator[PostOffice]:
    with PostOffice(("127.0.0.1", 0), caught) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def sandbox(caught: Caught) -> Iterator[Sandbox]:
    with Sandbox(("127.0.0.1", 0), caught) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()
        clients.close()


@pytest.fixture
def accounts(sandbox: Sandbox, office: PostOffice, configure: Callable[..., None], tmp_path: Path) -> None:
    """Every provider's account leads to the sandbox."""
    given: dict[str, Any] = {"smtp": {"url": f"smtp://127.0.0.1:{office.server_address[1]}"}}
    given |= {name: stand_in.fields(f"{sandbox.url}/{name}") for name, stand_in in stand_ins().items()}
    (tmp_path / "accounts.json").write_text(json.dumps(given))
    configure(accounts_path=tmp_path / "accounts.json")


def test_every_provider_is_played() -> None:
    assert {*stand_ins(), *ELSEWHERE} == set(OURS)


@pytest.mark.parametrize("ledger", ["sqlite"], indirect=True)
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_example_of_every_task_is_done_by_a_stand_in(task: ProviderTask, ledger: Engine, accounts: None) -> None:
    trial = Trial(task)
    job_id = trial.take(task.example)
    assert trial.run(job_id).state is State.SUCCEEDED, trial.error(job_id)


@pytest.mark.parametrize("provider", OURS)
def test_every_probe_is_answered_by_a_stand_in(provider: str, accounts: None) -> None:
    known = providers[provider]
    assert known.check(known.find()) is None


def test_a_call_under_the_same_key_has_one_effect(sandbox: Sandbox, caught: Caught) -> None:
    pay = {"amount": "1999", "currency": "eur", "confirm": "true", "payment_method": "pm_card_visa"}
    url, key = f"{sandbox.url}/stripe/v1/payment_intents", {"idempotency-key": "one"}
    first, second = (httpx2.post(url, data=pay, headers=key, trust_env=False).json() for _ in range(2))
    assert first == second
    assert first["status"] == "succeeded"
    assert [each.repeats is None for each in list(caught.calls)[-2:]] == [True, False]


def test_a_mail_and_a_webhook_are_shown_and_nothing_in_them_is_run(sandbox: Sandbox, office: PostOffice) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.com", "b@example.com", "Grüße <script>alert(1)</script>"
    mail.set_content("Line\n.\n.. dots\n")
    mail.add_alternative("<p>ü</p><img src=x>", subtype="html")
    with smtplib.SMTP("127.0.0.1", office.server_address[1]) as client:
        client.send_message(mail)
    assert httpx2.post(f"{sandbox.url}/hook?x=1", json={"hello": "<b>"}, trust_env=False).status_code == 200
    shown = httpx2.get(f"{sandbox.url}/caught", trust_env=False).json()
    first = shown["mails"][0]
    assert (first["from"], first["to"]) == ("a@example.com", ["b@example.com"])
    assert first["headers"]["Subject"] == "Grüße <script>alert(1)</script>"
    assert first["text"].splitlines() == ["Line", ".", ".. dots"]
    assert (shown["calls"][0]["provider"], shown["calls"][0]["path"]) == (None, "/hook?x=1")
    page = httpx2.get(sandbox.url, trust_env=False)
    assert page.headers["content-type"].startswith("text/html")
    assert "Grüße &lt;script&gt;" in page.text
    assert "<script" not in page.text
    assert "<img" not in page.text
