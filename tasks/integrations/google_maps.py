"""Google Maps: where addresses are, and what is where."""

from typing import Any
from urllib.parse import urlencode

from pydantic import Field, SecretStr

from jobs.errors import RateLimited, Rejected, Transient, Unauthorized
from tasks.accounts import BaseUrl
from tasks.answers import Answered
from tasks.context import Context
from tasks.places import ADDRESS, POSITION, Address, Country, Place, Position, degrees, geocode
from tasks.provider import Payload, Provider
from tasks.rate import Rate, rate
from tasks.rest import RestAccount


class GoogleMaps(RestAccount):
    """An API key for the Geocoding API. There is no call that shows whether it works: each is billed."""

    api_key: SecretStr = Field(examples=["AIza…"])
    base_url: BaseUrl = "https://maps.googleapis.com"
    rate: Rate | None = rate("50/s")  # Google allows 3000 a minute

    def look_up(self, **said: str | None) -> list[Place]:
        """Ask for places. That there are none is an answer.

        Raises:
            Answered: with a 200 that is a no.
        """
        query = {name: value for name, value in said.items() if value is not None}
        reply = self.call("GET", f"/maps/api/geocode/json?{urlencode({**query, 'key': self.api_key.get_secret_value()})}")
        body = reply.json()
        if body["status"] not in {"OK", "ZERO_RESULTS"}:
            raise Answered(reply)
        return [_place(found) for found in body["results"]]


# https://developers.google.com/maps/documentation/geocoding/requests-geocoding#StatusCodes; they come with a 200
google_maps = Provider(
    "google-maps",
    account=GoogleMaps,
    errors={
        "OVER_QUERY_LIMIT": RateLimited,
        "OVER_DAILY_LIMIT": Unauthorized,  # the key, the billing, or a cap that the owner has set
        "REQUEST_DENIED": Unauthorized,
        "INVALID_REQUEST": Rejected,
        "UNKNOWN_ERROR": Transient,
    },
    code=lambda body: body["status"],
)


class GoogleAddress(Address, Payload):
    """An address or the name of a place."""

    country: Country = None


@google_maps.task("geocode", repeatable=True, example=ADDRESS)
def find_address(wanted: GoogleAddress, account: GoogleMaps, context: Context) -> dict[str, Any]:
    """Find where an address is. Google allows to keep its answer for 30 days; the `id` of a place for ever."""
    within = f"country:{wanted.country}" if wanted.country else None
    return {"places": account.look_up(address=wanted.query, components=within, language=wanted.language)}


geocode.by("google-maps.geocode")


@google_maps.task("reverse", repeatable=True, example=POSITION)
def find_position(wanted: Position, account: GoogleMaps, context: Context) -> dict[str, Any]:
    """Find what addresses are at a point, the most exact first."""
    return {
        "places": account.look_up(latlng=f"{degrees(wanted.latitude)},{degrees(wanted.longitude)}", language=wanted.language)
    }


def _place(found: dict[str, Any]) -> Place:
    where = found["geometry"]["location"]
    kind = next(iter(found["types"]), "")
    return Place(
        id=found["place_id"], kind=kind, address=found["formatted_address"], latitude=where["lat"], longitude=where["lng"]
    )
