"""Amplitude: what people do."""

from datetime import timedelta
from typing import Any

from pydantic import Field, SecretStr

from jobs.errors import Transient, Unauthorized
from tasks.accounts import BaseUrl
from tasks.analytics import EVENT, Event, analytics_track, milliseconds
from tasks.answers import Answered
from tasks.context import Context
from tasks.provider import Provider
from tasks.rate import Rate, rate
from tasks.rest import RestAccount

REMEMBERED = timedelta(days=7)  # an insert_id
THROTTLED = timedelta(seconds=30)  # what Amplitude asks to wait for, in its documentation only


class Amplitude(RestAccount):
    """A project's API key. In the EU the base_url is https://api.eu.amplitude.com."""

    api_key: SecretStr = Field(examples=["…"])
    base_url: BaseUrl = "https://api2.amplitude.com"
    rate: Rate | None = rate("500/s")


def _code(body: dict[str, Any]) -> str | None:
    if str(body["error"]).startswith("Invalid API key"):
        return "invalid_api_key"
    found = ("exceeded_daily_quota_users", "exceeded_daily_quota_devices", "throttled_users", "throttled_devices")
    return "throttled" if any(body.get(name) for name in found) else None


amplitude = Provider(
    "amplitude",
    account=Amplitude,
    errors={"invalid_api_key": Unauthorized, "throttled": Transient},  # one user does too much, not the account
    code=_code,
)


@amplitude.task("track", repeatable=REMEMBERED, example=EVENT)
def track(event: Event, account: Amplitude, context: Context) -> dict[str, Any]:
    """Tell Amplitude what someone did."""
    said = {
        "event_type": event.event,
        "user_id": event.user_id,
        "device_id": event.anonymous_id,
        "event_properties": event.properties,
        "time": milliseconds(event.happened(context)),
        "insert_id": context.key(),
    }
    body = {
        "api_key": account.api_key.get_secret_value(),
        "events": [{name: value for name, value in said.items() if value is not None}],
        "options": {"min_id_length": 1},  # Amplitude would refuse ids of less than 5 characters
    }
    reply = account.call("POST", "/2/httpapi", json=body, fine=(429,))
    if reply.status == 429:
        raise Answered(reply, after=None if "retry-after" in reply.headers else THROTTLED)
    return {"insert_id": context.key(), "events_ingested": reply.json()["events_ingested"]}


analytics_track.by("amplitude.track")
