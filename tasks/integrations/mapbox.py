"""Mapbox: where addresses are, and what is where."""

from typing import Any
from urllib.parse import urlencode

from pydantic import Field, SecretStr

from jobs.errors import Unauthorized
from tasks.accounts import BaseUrl
from tasks.answers import Answered
from tasks.context import Context
from tasks.places import ADDRESS, POSITION, Address, Country, Place, Position, degrees, geocode
from tasks.provider import Payload, Provider
from tasks.rate import Rate, rate
from tasks.reply import Reply
from tasks.rest import RestAccount


class Mapbox(RestAccount):
    """An access token."""

    access_token: SecretStr = Field(examples=["pk.…"])
    base_url: BaseUrl = "https://api.mapbox.com"
    rate: Rate | None = rate("16/s")  # Mapbox allows 1000 a minute

    def ask(self, path: str, **said: Any) -> Reply:
        """Make one call."""
        query = {name: value for name, value in said.items() if value is not None}
        return self.call("GET", f"{path}?{urlencode({**query, 'access_token': self.access_token.get_secret_value()})}")


def _look(account: Mapbox) -> None:
    reply = account.ask("/tokens/v2")
    if reply.json()["code"] != "TokenValid":  # said with a 200
        raise Answered(reply)


mapbox = Provider(
    "mapbox",
    account=Mapbox,
    errors=dict.fromkeys(("TokenInvalid", "TokenMalformed", "TokenExpired", "TokenRevoked"), Unauthorized),
    code=lambda body: body.get("error_code") or body["code"],
    probe=_look,
)


class Kept(Payload):
    """What holds for each answer of Mapbox."""

    permanent: bool = Field(
        False, description="the answer may be kept; it is billed otherwise. A job's result is kept until the job is pruned"
    )


class MapboxAddress(Address, Kept):
    """An address or the name of a place; 20 words at most."""

    country: Country = None


@mapbox.task("geocode", repeatable=True, example=ADDRESS)
def find_address(wanted: MapboxAddress, account: Mapbox, context: Context) -> dict[str, Any]:
    """Find where an address is."""
    said = {"q": wanted.query, "country": wanted.country, "language": wanted.language, **_how(wanted)}
    return _places(account.ask("/search/geocode/v6/forward", **said, autocomplete="false"))


geocode.by("mapbox.geocode")


class MapboxPosition(Position, Kept):
    """A point, in degrees of WGS 84."""


@mapbox.task("reverse", repeatable=True, example=POSITION)
def find_position(wanted: MapboxPosition, account: Mapbox, context: Context) -> dict[str, Any]:
    """Find what is at a point, from the address to the country."""
    point = {"longitude": degrees(wanted.longitude), "latitude": degrees(wanted.latitude)}
    return _places(account.ask("/search/geocode/v6/reverse", **point, language=wanted.language, **_how(wanted)))


def _how(wanted: Kept) -> dict[str, str]:
    return {"permanent": "true"} if wanted.permanent else {}


def _places(reply: Reply) -> dict[str, Any]:
    return {"places": [_place(found["properties"]) for found in reply.json()["features"]]}


def _place(found: dict[str, Any]) -> Place:
    where = found["coordinates"]
    return Place(
        id=found["mapbox_id"],
        kind=found["feature_type"],
        address=found.get("full_address") or found["name"],
        latitude=where["latitude"],
        longitude=where["longitude"],
    )
