"""Two providers of mail, and the first fails: the second sends what surely was not sent, and nothing else."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobs.model import Hold, Job
from jobs.states import Reason, State
from tasks.health.circuit import ROW
from tests.chaos.conftest import Record
from tests.contract.integrations.fake import Answer, Fake
from tests.laboratory import Lab
from tests.servers import wait_until

LETTER = {"from": "noreply@example.com", "to": ["ada@example.com"], "subject": "Hello", "text": "Dear Ada,"}
MAILS = 50
SOON = timedelta(seconds=2)  # more than the second provider takes for as many by itself, on this machine at this hour
SENT = Answer(202, {"id": "<1@mailgun>"}, headers={"x-message-id": "1"})

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(params=["sqlite"])
def ledger_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """It is about the other side."""
    return f"sqlite:///{tmp_path_factory.mktemp('fallback') / 'treadle.db'}"


@pytest.fixture
def providers() -> Iterator[tuple[Fake, Fake]]:
    first, second = Fake(), Fake()
    first.script = second.script = lambda _: SENT
    yield first, second
    first.close()
    second.close()


@pytest.fixture
def lab(laboratory: Callable[..., Lab], providers: tuple[Fake, Fake]) -> Lab:
    first, second = providers
    sendgrid = {"accounts__sendgrid__api_key": "SG.chaos", "accounts__sendgrid__base_url": first.url}
    mailgun = {"api_key": "key-chaos", "domain": "mg.example.com", "base_url": second.url}
    made = laboratory(
        **sendgrid, **{f"accounts__mailgun__{name}": value for name, value in mailgun.items()}, circuit_open="15s"
    )
    return made.start()


def _send(lab: Lab, count: int, *accounts: str) -> list[UUID]:
    body = {"task": "email.send", "payload": {**LETTER, "accounts": accounts or ["sendgrid", "mailgun"]}}
    answer = lab.client.post("/v1/jobs/bulk", json={"jobs": [body] * count}, timeout=30)
    assert answer.status_code == 202, answer.text[:1000]
    return [UUID(each["id"]) for each in answer.json()["results"]]


def _jobs(lab: Lab, ids: list[UUID]) -> list[Job]:
    with Session(lab.engine) as session:
        return list(session.scalars(sa.select(Job).where(Job.id.in_(ids))))


def _latest(lab: Lab, ids: list[UUID]) -> timedelta:
    """How long the last of them took, from its acceptance to its end."""
    jobs = _jobs(lab, ids)
    assert {job.result and job.result["account"] for job in jobs} == {"mailgun"}
    return max(job.finished_at - job.created_at for job in jobs if job.finished_at)


def _by(lab: Lab, job: UUID) -> str:
    found = lab.wait_for(job)
    assert found["state"] == State.SUCCEEDED, found
    return str(found["result"]["account"])


def test_mails_go_by_the_second_while_the_first_is_held_and_by_the_first_when_it_is_well(
    lab: Lab, providers: tuple[Fake, Fake], record: Record
) -> None:
    first, second = providers
    first.script = lambda _: Answer(401, {"errors": [{"message": "revoked"}]})
    (opening,) = _send(lab, 1)
    assert _by(lab, opening) == "mailgun", "nobody took the mail that found the first account revoked"
    with Session(lab.engine) as session:
        assert session.get_one(Hold, "sendgrid").cause == "circuit"
    alone = _send(lab, MAILS, "mailgun")
    lab.wait_settled(60)
    both = _send(lab, MAILS)
    assert lab.wait_settled(60) == {State.SUCCEEDED: 2 * MAILS + 1}
    late, usual = _latest(lab, both), _latest(lab, alone)
    assert late < usual + SOON
    assert len(second.requests) == 2 * MAILS + 1
    assert len(first.requests) == 1, "a held account was called"
    first.script = lambda _: SENT
    wait_until(lambda: _by(lab, _send(lab, 1)[0]) == "sendgrid", 60, "the first to be found well by a job on its way past")
    took = f"the last after {late.total_seconds():.1f} s (asked alone: {usual.total_seconds():.1f} s)"
    what = f"{MAILS} of {MAILS} by the second, {took}, no call to the first"
    record(16, "the first of two providers of mail is held", "–", what, None)


def test_a_mail_that_may_have_been_sent_is_sent_by_nobody_else(lab: Lab, providers: tuple[Fake, Fake]) -> None:
    first, second = providers
    first.script = lambda _: None
    sent = _send(lab, ROW - 1)  # one more would open the circuit
    lab.wait_settled(60)
    assert {job.reason for job in _jobs(lab, sent)} == {Reason.UNKNOWN_OUTCOME}
    assert (len(first.requests), len(second.requests)) == (ROW - 1, 0)
