"""Segment: what people do."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import Field, SecretStr

from tasks.accounts import BaseUrl
from tasks.analytics import EVENT, Event, Id, Properties, analytics_track
from tasks.context import Context
from tasks.provider import Payload, Provider
from tasks.rate import Rate, rate
from tasks.rest import RestAccount, basic

REMEMBERED = timedelta(hours=24)  # a messageId


class Segment(RestAccount):
    """A source's write key. Segment answers "success" to a wrong one too. In the EU the base_url is https://events.eu1.segmentapis.com."""

    write_key: SecretStr = Field(examples=["…"])
    base_url: BaseUrl = "https://api.segment.io"
    rate: Rate | None = rate("500/s")  # Segment asks for no more than 1000

    def headers(self) -> Mapping[str, str]:
        return basic(self.write_key.get_secret_value(), SecretStr(""))


segment = Provider("segment", account=Segment)


@segment.task("track", repeatable=REMEMBERED, example=EVENT)
def track(event: Event, account: Segment, context: Context) -> dict[str, Any]:
    """Tell Segment what someone did."""
    said = {"event": event.event, "properties": event.properties, "timestamp": event.happened(context).isoformat()}
    return _send(account, context, "track", userId=event.user_id, anonymousId=event.anonymous_id, **said)


analytics_track.by("segment.track")


class Person(Payload):
    """Someone, and what is known of them."""

    user_id: Id
    traits: Properties = Field({}, description="such as name and email; at most 30,000 bytes as JSON")


@segment.task(
    "identify",
    repeatable=REMEMBERED,
    example={"user_id": "user-1815", "traits": {"name": "Ada Lovelace", "email": "ada@example.com"}},
)
def identify(person: Person, account: Segment, context: Context) -> dict[str, Any]:
    """Tell Segment who someone is."""
    timestamp = context.accepted_at.isoformat()
    return _send(account, context, "identify", userId=person.user_id, traits=person.traits, timestamp=timestamp)


def _send(account: Segment, context: Context, kind: str, **said: Any) -> dict[str, Any]:
    body = {**said, "messageId": context.key()}
    reply = account.call("POST", f"/v1/{kind}", json={name: value for name, value in body.items() if value is not None})
    return {"message_id": context.key(), "success": reply.json()["success"]}
