"""Vonage: text messages and voice calls."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode
from uuid import uuid4

from pydantic import Field, SecretStr, StringConstraints

from jobs.errors import Ambiguous, RateLimited, Rejected, Unauthorized
from runtime import clock
from tasks import earlier
from tasks.accounts import BaseUrl
from tasks.answers import Answered
from tasks.clients import Clients
from tasks.context import Context
from tasks.provider import Provider
from tasks.rate import Rate, rate
from tasks.reply import Reply
from tasks.rest import RestAccount
from tasks.telephony import CALL, SMS, Call, Sms, sms_send, voice_call

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PAGE = 100  # calls that are looked through for an earlier one
TOKEN = timedelta(minutes=5)
GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà\f^{}\\[~]|€"
)
"""What the alphabet of text messages has, GSM 03.38 and its extension."""


class Vonage(RestAccount):
    """An API key and its secret. Calls need an application and its private key too, and an account of their own is best:
    Vonage allows 30 messages, but 3 calls a second."""

    api_key: Annotated[str, StringConstraints(min_length=8, max_length=8)] = Field(examples=["abcd1234"])
    api_secret: SecretStr = Field(examples=["…"])
    application_id: str | None = Field(
        None, description="whose the calls are", examples=["aaaaaaaa-bbbb-cccc-dddd-0123456789ab"]
    )
    private_key: SecretStr | None = Field(
        None, description="the application's, in PEM", examples=["-----BEGIN PRIVATE KEY-----…"]
    )
    base_url: BaseUrl = "https://rest.nexmo.com"
    voice_url: BaseUrl = Field("https://api.nexmo.com", description="where calls are asked for; regions have their own")
    rate: Rate | None = rate("30/s")


class Caller(Vonage):
    """An account that can make calls."""

    application_id: str = Field(examples=["aaaaaaaa-bbbb-cccc-dddd-0123456789ab"])
    private_key: SecretStr = Field(examples=["-----BEGIN PRIVATE KEY-----…"])

    def ask(self, method: str, path: str, json: Any = None) -> Reply:
        """Make one call of the voice API, under a token that lives for minutes."""
        headers = {"authorization": f"Bearer {signers.get(self).sign()}"}
        return self.model_copy(update={"base_url": self.voice_url}).call(method, path, headers=headers, json=json)


class _Signer:
    """Makes an account's tokens; its key is read once."""

    def __init__(self, account: Caller) -> None:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key: Any = load_pem_private_key(account.private_key.get_secret_value().encode(), None)
        except (ValueError, TypeError) as error:
            raise Unauthorized(f"{account.name}: private_key is no key in PEM without password.", code="bad_key") from error
        self._key: RSAPrivateKey = key
        self._application = account.application_id

    def sign(self) -> str:
        import jwt

        now = clock.now()
        claims = {"application_id": self._application, "iat": now, "exp": now + TOKEN, "jti": str(uuid4())}
        return jwt.encode(claims, self._key, "RS256")


signers = Clients(_Signer)


def _look(account: Vonage) -> None:
    account.call("GET", f"/account/get-balance?{urlencode(_credentials(account))}")


# https://developer.vonage.com/en/api-errors/sms; they come with a 200
vonage = Provider(
    "vonage",
    account=Vonage,
    errors={
        **dict.fromkeys(("1", "10"), RateLimited),
        **dict.fromkeys(("2", "3", "6", "7", "12", "15", "17", "22", "23", "29", "33"), Rejected),
        **dict.fromkeys(("4", "8", "9", "11", "14", "32"), Unauthorized),  # credentials, a barred account, no credit
        "5": Ambiguous,
        402: Unauthorized,  # no credit
    },
    code=lambda body: body["messages"][0]["status"],
    probe=_look,
)


@vonage.task("sms.send", repeatable=False, example=SMS)
def send_sms(sms: Sms, account: Vonage, context: Context) -> dict[str, Any]:
    """Send a text message through Vonage.

    Vonage cannot recognise a message it has seen. The job's id goes along as `client-ref`, and comes back in its receipts.
    """
    form = {
        **_credentials(account),
        "from": sms.sender.removeprefix("+"),
        "to": sms.to.removeprefix("+"),
        "text": sms.text,
        "type": "text" if GSM.issuperset(sms.text) else "unicode",
        "client-ref": str(context.job_id),
    }
    reply = account.call("POST", "/sms/json", form=form)
    parts = reply.json()["messages"]
    refused = [part for part in parts if part["status"] != "0"]
    if refused and len(refused) < len(parts):
        words = f"Vonage took {len(parts) - len(refused)} of the {len(parts)} parts of the message."
        raise Ambiguous(words, status=reply.status, code=refused[0]["status"])
    if refused or not parts:
        raise Answered(reply)
    return {"message_ids": [part["message-id"] for part in parts]}


sms_send.by("vonage.sms.send")


def _find_call(call: Call, account: Caller, context: Context) -> dict[str, Any] | None:
    since = f"{earlier.since(context):%Y-%m-%dT%H:%M:%SZ}"
    reply = account.ask("GET", f"/v1/calls?{urlencode({'date_start': since, 'order': 'desc', 'page_size': PAGE})}").json()
    listed = reply["_embedded"]["calls"]
    if reply["count"] > len(listed):
        raise Ambiguous(f"There were {reply['count']} calls since; no more than {PAGE} are looked through.")
    to, sender = call.to.removeprefix("+"), call.sender.removeprefix("+")
    theirs = [made for made in listed if _number(made["to"]) == to]
    found = earlier.pick(theirs, lambda made: _number(made["from"]) == sender)
    return found and _kept(found)


@vonage.task("call.create", repeatable=False, confirm=_find_call, settled=earlier.SETTLED, example=CALL)
def create_call(call: Call, account: Caller, context: Context) -> dict[str, Any]:
    """Call a number and say a text.

    After an attempt whose end is not known Vonage is asked for a call between these numbers since then.
    """
    body = {
        "to": [{"type": "phone", "number": call.to.removeprefix("+")}],
        "from": {"type": "phone", "number": call.sender.removeprefix("+")},
        "ncco": [{"action": "talk", "text": call.text, "language": call.language}],
    }
    return _kept(account.ask("POST", "/v1/calls", json=body).json())


voice_call.by("vonage.call.create")


def _credentials(account: Vonage) -> dict[str, str]:
    return {"api_key": account.api_key, "api_secret": account.api_secret.get_secret_value()}


def _number(endpoint: Any) -> Any:
    """Of an end of a call; Vonage lists one as an object, and in some versions within a list."""
    return (endpoint[0] if isinstance(endpoint, list) else endpoint).get("number")


def _kept(made: dict[str, Any]) -> dict[str, Any]:
    return {name: made[name] for name in ("uuid", "status")}
