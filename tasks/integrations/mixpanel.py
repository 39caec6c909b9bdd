"""Mixpanel: what people do."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import Field, SecretStr, StringConstraints

from tasks.accounts import BaseUrl
from tasks.analytics import EVENT, Event, analytics_track, milliseconds
from tasks.context import Context
from tasks.provider import Provider
from tasks.rate import Rate, rate
from tasks.rest import RestAccount, basic


class Mixpanel(RestAccount):
    """A service account, and the project that it writes to.

    In the EU the base_url is https://api-eu.mixpanel.com, in India https://api-in.mixpanel.com.
    """

    username: str = Field(examples=["treadle.0a1b2c.mp-service-account"])
    secret: SecretStr = Field(examples=["…"])
    project_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}$")] = Field(examples=["2195193"])
    base_url: BaseUrl = "https://api.mixpanel.com"
    rate: Rate | None = rate("100/s")

    def headers(self) -> Mapping[str, str]:
        return basic(self.username, self.secret)


mixpanel = Provider("mixpanel", account=Mixpanel)


@mixpanel.task("track", repeatable=True, example=EVENT)
def track(event: Event, account: Mixpanel, context: Context) -> dict[str, Any]:
    """Tell Mixpanel what someone did.

    Mixpanel keeps one of several events with the same name, time, `distinct_id` and `$insert_id`, which is the job's id.
    """
    ours = {
        "time": milliseconds(event.happened(context)),
        "$insert_id": context.key(),
        "distinct_id": event.user_id or f"$device:{event.anonymous_id}",
        "$user_id": event.user_id,
        "$device_id": event.anonymous_id,
    }
    properties = {**event.properties, **{name: value for name, value in ours.items() if value is not None}}
    query = urlencode({"strict": 1, "project_id": account.project_id})
    reply = account.call("POST", f"/import?{query}", json=[{"event": event.event, "properties": properties}])
    return {"insert_id": context.key(), "imported": reply.json()["num_records_imported"]}


analytics_track.by("mixpanel.track")
