"""Workers die around calls that nobody can recognise: no e-mail goes out twice, and what is not known is said."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobs.model import Attempt, Job
from jobs.states import Ending, Reason, State
from tests.chaos.conftest import Record
from tests.chaos.forms import forms
from tests.contract.integrations.fake import Answer, Fake
from tests.laboratory import Lab

LETTER = {"from": "noreply@example.com", "to": ["ada@example.com"], "subject": "Hello", "text": "Dear Ada,"}


@pytest.fixture
def sendgrid() -> Iterator[Fake]:
    fake = Fake()
    fake.script = lambda _: Answer(202, headers={"x-message-id": "1"})
    yield fake
    fake.close()


def _lost(lab: Lab) -> int:
    with Session(lab.engine) as session:
        return session.scalar(sa.select(sa.func.count()).where(Attempt.outcome == Ending.LOST)) or 0


@pytest.mark.timeout(900)
@forms("jobs, deaths", short=(24, 0.2), long=(100, 0.3), endurance=(400, 0.3))
def test_no_mail_goes_out_twice_while_workers_die_between_yes_and_record(
    laboratory: Callable[..., Lab], sendgrid: Fake, record: Record, jobs: int, deaths: float
) -> None:
    account = {
        "poison_crashes": "100",
        "accounts__sendgrid__api_key": "SG.chaos",
        "accounts__sendgrid__base_url": sendgrid.url,
    }
    lab = laboratory(**account)
    lab.api.start()
    lab.add_scheduler()
    lab.add_worker(slots=2, failpoints=f"after the provider's yes: die {deaths}; before settle: die {deaths}")
    accepted = lab.supervise(lambda: [lab.submit("sendgrid.send", LETTER) for _ in range(jobs)])
    lab.wait_settled(800)
    sent = Counter(request.json()["personalizations"][0]["custom_args"]["job_id"] for request in sendgrid.requests)
    with Session(lab.engine) as session:
        succeeded = set(session.scalars(sa.select(Job.id).where(Job.state == State.SUCCEEDED)))
        unknown = set(session.scalars(sa.select(Job.id).where(Job.reason == Reason.UNKNOWN_OUTCOME)))
    assert max(sent.values()) == 1, "a mail went out twice"
    assert {str(job) for job in succeeded} <= set(sent), "a job succeeded without a mail"
    assert succeeded | unknown == set(accepted), "a job ended otherwise"
    lost = _lost(lab)
    assert lost, "nobody died"
    what = f"{sum(sent.values())} mails for {jobs} jobs, {lost} attempts lost, 0 doubled, {len(unknown)} unknown"
    record(1, "worker dies around a call that cannot be repeated", "–", what, None)
