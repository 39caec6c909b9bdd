"""Amazon SES: e-mail."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from jobs.errors import RateLimited, Unauthorized
from tasks import aws
from tasks.answers import Answer
from tasks.clients import Clients
from tasks.context import Context
from tasks.mail import EXAMPLE, Email, compose, email_send, mailbox
from tasks.provider import Provider
from tasks.rate import Rate, rate

QUOTA = timedelta(hours=1)  # after which to look again whether the quota of 24 hours has room


class Ses(aws.AwsAccount):
    """An access key that may call ses:SendEmail.

    In SES's sandbox only verified addresses get mail. success@, bounce@ and complaint@simulator.amazonses.com play their
    part anywhere, and do no harm to one's reputation.
    """

    rate: Rate | None = rate("14/s")  # what most accounts begin with, outside of the sandbox
    configuration_set: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = Field(
        None, description="says where events go"
    )


clients: Clients[Ses, Any] = Clients(lambda account: aws.connect("sesv2", account))


def _answer(error: Exception) -> Answer | None:
    answer = aws.answer(error)
    if answer is not None and answer.code == "LimitExceededException":
        return replace(answer, after=QUOTA)
    return answer


def _look(account: Ses) -> None:
    clients.get(account).get_account()


ses = Provider(
    "ses",
    account=Ses,
    errors={
        **aws.ERRORS,
        "LimitExceededException": RateLimited,
        "AccountSuspendedException": Unauthorized,
        "SendingPausedException": Unauthorized,
    },
    answer=_answer,
    extra="aws",
    module="boto3",
    probe=_look,
)

Tag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@-]{1,256}$")]


class Mail(Email):
    """An e-mail, and what SES alone knows."""

    tags: dict[Tag, Tag] = Field({}, max_length=40, description="come back in events")

    @model_validator(mode="after")
    def _recipients_fit(self) -> Self:
        if len(self.to) + len(self.cc) + len(self.bcc) > 50:
            raise ValueError("SES takes 50 recipients at most")
        return self


@ses.task("send", repeatable=False, example=EXAMPLE)
def send(mail: Mail, account: Ses, context: Context) -> dict[str, Any]:
    """Send an e-mail through Amazon SES.

    SES cannot recognise a message it has seen, and puts a Message-ID of its own in the place of ours. The job's id goes
    along in the header X-Treadle-Job and as the tag treadle-job, and comes back in its events.
    """
    told: dict[str, Any] = {"EmailTags": _tags({"treadle-job": str(context.job_id), **mail.tags})}
    if account.configuration_set:
        told["ConfigurationSetName"] = account.configuration_set
    made = clients.get(account).send_email(
        FromEmailAddress=mailbox(mail.sender).addr_spec,
        Destination={"ToAddresses": _plain(mail.to), "CcAddresses": _plain(mail.cc), "BccAddresses": _plain(mail.bcc)},
        Content={"Raw": {"Data": compose(mail, context).as_bytes()}},
        **told,
    )
    return {"message_id": made["MessageId"]}


email_send.by("ses.send")


def _plain(mailboxes: list[str]) -> list[str]:
    return [mailbox(text).addr_spec for text in mailboxes]


def _tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in tags.items()]
