"""Mapbox, as the conformance suite needs it. It publishes no specification."""

from jobs.errors import RateLimited, Rejected, Unauthorized
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer

FOUND = {
    "type": "Feature",
    "id": "dXJuOm1ieGFkcjox",
    "geometry": {"type": "Point", "coordinates": [-122.41122, 37.78019]},
    "properties": {
        "mapbox_id": "dXJuOm1ieGFkcjox",
        "feature_type": "address",
        "name": "1 Market Street",
        "full_address": "1 Market Street, San Francisco, California 94105, United States",
        "coordinates": {"longitude": -122.41122, "latitude": 37.78019, "accuracy": "rooftop"},
    },
}


def _found(*features: object) -> Answer:
    return Answer(json={"type": "FeatureCollection", "features": list(features), "attribution": "NOTICE: (c) Mapbox"})


ENTRY = Entry(
    account={"access_token": "pk.conformanceToken"},
    success={"mapbox.geocode": _found(FOUND), "mapbox.reverse": _found(FOUND)},
    error=lambda status, words: {"message": words, "error_code": "ERROR"},
    special=[
        Special("nothing there", _found(), None),
        Special("a wrong token", Answer(401, {"message": "Not Authorized - Invalid Token"}), Unauthorized),
        Special("too many words", Answer(422, {"message": "Query too long - 21/20 tokens"}), Rejected),
        Special(
            "too many", Answer(429, {"message": "Too Many Requests"}, headers={"x-rate-limit-reset": "60"}), RateLimited
        ),
    ],
)
