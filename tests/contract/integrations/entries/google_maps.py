"""Google Maps, as the conformance suite needs it. What it found is an example of Google's own."""

from jobs.errors import RateLimited, Rejected, Transient, Unauthorized
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer

FOUND = {
    "address_components": [
        {"long_name": "High Street", "short_name": "High St", "types": ["route"]},
        {"long_name": "United Kingdom", "short_name": "GB", "types": ["country", "political"]},
    ],
    "formatted_address": "High St, Hastings TN34, UK",
    "geometry": {
        "location": {"lat": 50.8584228, "lng": 0.5926006},
        "location_type": "GEOMETRIC_CENTER",
        "viewport": {
            "northeast": {"lat": 50.86038139999999, "lng": 0.596206},
            "southwest": {"lat": 50.8558471, "lng": 0.5904904},
        },
    },
    "place_id": "ChIJ-Ws929sa30cRKgsMNVkPyws",
    "types": ["route"],
}


def _no(status: str) -> Answer:
    return Answer(json={"status": status, "results": [], "error_message": "No."})


OK = Answer(json={"status": "OK", "results": [FOUND]})

ENTRY = Entry(
    account={"api_key": "AIzaConformanceKey"},
    success={"google-maps.geocode": OK, "google-maps.reverse": OK},
    specification="google-maps/maps",
    special=[
        Special("nothing there", _no("ZERO_RESULTS"), None),
        Special("too many", _no("OVER_QUERY_LIMIT"), RateLimited),
        Special("no billing", _no("OVER_DAILY_LIMIT"), Unauthorized),
        Special("a wrong key", _no("REQUEST_DENIED"), Unauthorized),
        Special("no address", _no("INVALID_REQUEST"), Rejected),
        Special("an error of Google's", _no("UNKNOWN_ERROR"), Transient),
    ],
)
