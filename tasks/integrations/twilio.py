"""Twilio: text messages and voice calls."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

from pydantic import Field, SecretStr, StringConstraints

from jobs.errors import RateLimited, Unauthorized
from tasks import earlier
from tasks.accounts import BaseUrl
from tasks.context import Context
from tasks.fields import TargetUrl
from tasks.provider import Provider
from tasks.rate import Rate, rate
from tasks.rest import RestAccount, basic
from tasks.telephony import CALL, SMS, Call, Sms, sms_send, voice_call

PAGE = 100  # resources that are looked through for an earlier call


class Twilio(RestAccount):
    """An account and its auth token, or an API key and its secret. With test credentials nothing is sent."""

    account_sid: Annotated[str, StringConstraints(pattern=r"^AC[0-9a-fA-F]{32}$")] = Field(examples=["AC…"])
    api_key: Annotated[str, StringConstraints(pattern=r"^SK[0-9a-fA-F]{32}$")] | None = Field(
        None, description="its sid, if auth_token is an API key's secret"
    )
    auth_token: SecretStr = Field(examples=["…"])
    status_callback: TargetUrl | None = Field(
        None, description="where Twilio reports what became of it, such as https://HOST/v1/hooks/twilio"
    )
    base_url: BaseUrl = "https://api.twilio.com"
    rate: Rate | None = rate("50/s")  # what is taken in; Twilio sends from its own queue at the number's rate

    def headers(self) -> Mapping[str, str]:
        return basic(self.api_key or self.account_sid, self.auth_token)

    @property
    def path(self) -> str:
        """Below it are the account's resources."""
        return f"/2010-04-01/Accounts/{self.account_sid}"


def _look(account: Twilio) -> None:
    account.call("GET", f"{account.path}.json")


# https://www.twilio.com/docs/api/errors
twilio = Provider(
    "twilio",
    account=Twilio,
    errors={
        "20003": Unauthorized,  # no such account, or wrong token
        "20005": Unauthorized,  # the account is not active
        "10001": Unauthorized,  # the same
        "20429": RateLimited,  # too many requests
        "10004": RateLimited,  # too many calls at a time
        "21611": RateLimited,  # the sender's queue is full
    },
    code=lambda body: body["code"],
    probe=_look,
)


def _find_message(sms: Sms, account: Twilio, context: Context) -> dict[str, Any] | None:
    """A message with this text to this number; a trial account's has words before it."""
    found = earlier.pick(_list(account, "Messages", sms.to, context), lambda made: sms.text in made["body"])
    return found and _kept(found)


@twilio.task("sms.send", repeatable=False, confirm=_find_message, settled=earlier.SETTLED, example=SMS)
def send_sms(sms: Sms, account: Twilio, context: Context) -> dict[str, Any]:
    """Send a text message through Twilio.

    After an attempt whose end is not known Twilio is asked for a message with this text to this number since then.
    """
    return _create(account, "Messages", context, To=sms.to, From=sms.sender, Body=sms.text)


sms_send.by("twilio.sms.send")


def _find_call(call: Call, account: Twilio, context: Context) -> dict[str, Any] | None:
    found = earlier.pick(_list(account, "Calls", call.to, context), lambda made: made["from"] == call.sender)
    return found and _kept(found)


@twilio.task("call.create", repeatable=False, confirm=_find_call, settled=earlier.SETTLED, example=CALL)
def create_call(call: Call, account: Twilio, context: Context) -> dict[str, Any]:
    """Call a number and say a text.

    After an attempt whose end is not known Twilio is asked for a call between these numbers since then.
    """
    twiml = f"<Response><Say language={quoteattr(call.language)}>{escape(call.text)}</Say></Response>"
    return _create(account, "Calls", context, To=call.to, From=call.sender, Twiml=twiml)


voice_call.by("twilio.call.create")


def _create(account: Twilio, resource: str, context: Context, **form: str) -> dict[str, Any]:
    if account.status_callback is not None:
        sign = "&" if "?" in account.status_callback else "?"
        form["StatusCallback"] = f"{account.status_callback}{sign}{urlencode({'job_id': context.job_id})}"
    return _kept(account.call("POST", f"{account.path}/{resource}.json", form=form).json())


def _list(account: Twilio, resource: str, to: str, context: Context) -> list[dict[str, Any]]:
    """What went to a number since this job first called, the newest first."""
    query = urlencode({"To": to, "PageSize": PAGE})
    reply = account.call("GET", f"{account.path}/{resource}.json?{query}")
    since = earlier.since(context)
    return [found for found in reply.json()[resource.lower()] if _created(found) >= since]


def _created(found: Mapping[str, Any]) -> datetime:
    return parsedate_to_datetime(found["date_created"])


def _kept(made: Mapping[str, Any]) -> dict[str, Any]:
    return {name: made[name] for name in ("sid", "status")}
