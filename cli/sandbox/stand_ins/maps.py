"""Providers of maps. Every address is on the Augustusplatz in Leipzig."""

from typing import Any
from urllib.parse import parse_qs

from cli.sandbox.stand_in import Call, Earlier, Said, StandIn

LATITUDE, LONGITUDE = 51.33857, 12.38029


def _asked(call: Call, *names: str) -> str:
    said = parse_qs(call.query)
    return next((said[name][0] for name in names if name in said), "Augustusplatz, Leipzig")


def _google(call: Call, _: Earlier) -> Said:
    where = {"location": {"lat": LATITUDE, "lng": LONGITUDE}, "location_type": "ROOFTOP"}
    place = {"formatted_address": _asked(call, "address"), "geometry": where, "place_id": call.id("sandbox-")}
    return Said(json={"status": "OK", "results": [{**place, "types": ["street_address"]}]})


def _mapbox(call: Call, _: Earlier) -> Said:
    at = {"latitude": LATITUDE, "longitude": LONGITUDE, "accuracy": "rooftop"}
    kept: dict[str, Any] = {"mapbox_id": call.id("sandbox-"), "feature_type": "address", "name": _asked(call, "q")}
    return Said(json={"type": "FeatureCollection", "features": [{"properties": {**kept, "coordinates": at}}]})


STAND_INS = {
    "google-maps": StandIn({"api_key": "AIzaSandbox"}, {"GET /maps/api/geocode/json": _google}),
    "mapbox": StandIn(
        {"access_token": "pk.sandbox"},
        {"GET /search/geocode/v6/*": _mapbox, "GET /tokens/v2": Said(json={"code": "TokenValid"})},
    ),
}
