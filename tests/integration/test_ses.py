"""AWS's own client against moto, which keeps what it is told to send."""

from collections.abc import Callable, Iterator
from email import message_from_string
from email.policy import default
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from jobs.errors import Invalid, Rejected
from tasks import Context, catalogue, clients, load
from tasks.integrations.ses import clients as connected
from tasks.integrations.ses import ses
from tests.emulators import Moto

MAIL = {
    "from": "Löwe & Söhne <noreply@example.com>",
    "to": ["Ada Lovelace <ada@example.com>"],
    "bcc": ["secret@example.com"],
    "subject": "Größe: 7",
    "text": "Dear Ada,\n.\nit is done. – Löwe",
    "html": "<p>It is done.</p>",
    "tags": {"campaign": "autumn"},
}


@pytest.fixture(scope="module")
def server() -> Iterator[Moto]:
    started = Moto()
    started.start()
    yield started
    clients.close()
    started.remove()


@pytest.fixture(autouse=True)
def _account(server: Moto, configure: Callable[..., None]) -> None:
    load()
    configure(
        accounts__ses__region="eu-central-1",
        accounts__ses__access_key_id="AKIATEST",
        accounts__ses__secret_access_key="secret-of-the-test",
        accounts__ses__base_url=server.url,
        accounts__ses__rate="1000/s",
    )
    connected.get(ses.find()).create_email_identity(EmailIdentity="noreply@example.com")


def run(task: str, context: Context, payload: dict[str, Any]) -> Any:
    found = catalogue.find(task)
    return found.call(found.accept(payload), context)


def sent(server: Moto) -> dict[str, Any]:
    """The last message that moto was told to send."""
    kept = httpx2.get(f"{server.url}/moto-api/data.json", timeout=10, trust_env=False).json()
    last: dict[str, Any] = kept["ses"]["RawMessage"][-1]
    return last


@pytest.mark.parametrize("task", ["ses.send", "email.send"])
def test_a_mail_goes_out_as_we_composed_it(task: str, server: Moto) -> None:
    context = Context(uuid4(), task)
    payload = MAIL if task == "ses.send" else {name: value for name, value in MAIL.items() if name != "tags"}
    result = run(task, context, payload)
    kept = sent(server)
    assert result["message_id"] == kept["id"]
    assert kept["source"] == "noreply@example.com"
    told = str(kept["destinations"])
    assert "ada@example.com" in told and "secret@example.com" in told
    message = message_from_string(kept["raw_data"], policy=default)
    assert message["X-Treadle-Job"] == str(context.job_id)
    assert message["Message-ID"] == f"<{context.job_id}@treadle>"
    assert message["From"] == MAIL["from"] and message["Subject"] == MAIL["subject"] and message["Bcc"] is None
    body = message.get_body(("plain",))
    assert body is not None and body.get_content().splitlines() == ["Dear Ada,", ".", "it is done. – Löwe"]


def test_a_sender_who_is_not_verified_is_refused() -> None:
    with pytest.raises(Rejected) as caught:
        run("ses.send", Context(uuid4(), "ses.send"), {**MAIL, "from": "stranger@example.org"})
    assert caught.value.code == "MessageRejected"


def test_the_probe_asks_for_the_quota() -> None:
    asked: list[str] = []
    client = connected.get(ses.find())
    client.meta.events.register("before-send.sesv2", lambda request, **_: asked.append(request.url))
    ses.check(ses.find())
    assert [url.rpartition("/v2/")[2] for url in asked] == ["email/account"]


@pytest.mark.parametrize(
    "change",
    [
        {"to": [f"{number}@example.com" for number in range(50)]},  # and one more, who gets it blindly
        {"tags": {"a b": "c"}},
        {"from": "noreply@exämple.com"},
        {"nonsense": 1},
    ],
)
def test_payloads_that_cannot_be(change: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        catalogue.find("ses.send").read(MAIL | change)
