"""What Google Maps is asked, held against geopy, which asks the same; and what Mapbox is asked."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from geopy.adapters import URLLibAdapter
from geopy.exc import GeocoderQuotaExceeded
from geopy.geocoders import GoogleV3

from jobs.errors import Invalid, RateLimited, Unauthorized
from tasks import Context, catalogue, load
from tasks.integrations.mapbox import mapbox
from tests.contract.integrations.entries import google_maps as google
from tests.contract.integrations.entries.mapbox import ENTRY as MAPBOX
from tests.contract.integrations.fake import Answer, Fake, Request

KEY = "AIza-of-test"
TOKEN = "pk.of-test"


@pytest.fixture
def fake(configure: Callable[..., None]) -> Iterator[Fake]:
    load()
    fake = Fake()
    configure(
        accounts__google_maps__api_key=KEY,
        accounts__google_maps__base_url=fake.url,
        accounts__mapbox__access_token=TOKEN,
        accounts__mapbox__base_url=fake.url,
    )
    yield fake
    fake.close()


def run(task: str, **payload: Any) -> Any:
    found = catalogue.find(task)
    return found.call(found.accept(payload), Context(uuid4(), task))


def _geopy(fake: Fake) -> GoogleV3:
    domain = fake.url.removeprefix("http://")
    return GoogleV3(KEY, domain=domain, scheme="http", timeout=5, adapter_factory=URLLibAdapter)


def _said(request: Request) -> tuple[Any, ...]:
    said = {name: value for name, value in request.args().items() if name != "sensor"}  # Google has long ceased to ask that
    return request.method, request.path, said


def test_google_is_asked_for_an_address_as_geopy_asks(fake: Fake) -> None:
    fake.script = lambda _: google.OK
    (found,) = run("google-maps.geocode", query="High St, Hastings", country="GB", language="en")["places"]
    theirs = _geopy(fake).geocode("High St, Hastings", components={"country": "GB"}, language="en")
    assert (found["address"], found["latitude"], found["longitude"]) == (theirs.address, theirs.latitude, theirs.longitude)
    ours, asked = fake.requests
    assert _said(ours) == _said(asked)


def test_google_is_asked_for_a_point_as_geopy_asks(fake: Fake) -> None:
    fake.script = lambda _: google.OK
    (found,) = run("google-maps.reverse", latitude=50.8584228, longitude=0.5926006)["places"]
    assert found["address"] == _geopy(fake).reverse((50.8584228, 0.5926006)).address
    ours, asked = fake.requests
    assert _said(ours) == _said(asked)


def test_a_quota_that_is_used_up_is_one_for_geopy_too(fake: Fake) -> None:
    fake.script = lambda _: Answer(json={"status": "OVER_QUERY_LIMIT", "results": []})
    with pytest.raises(RateLimited):
        run("google-maps.geocode", query="Hastings")
    with pytest.raises(GeocoderQuotaExceeded):
        _geopy(fake).geocode("Hastings")


def test_a_refused_key_is_not_in_the_error(fake: Fake) -> None:
    fake.script = lambda asked: Answer(json={"status": "REQUEST_DENIED", "results": [], "error_message": asked.echo()})
    with pytest.raises(Unauthorized) as caught:
        run("google-maps.geocode", query="Hastings")
    assert KEY not in f"{caught.value!r} {caught.value.detail}"


def test_mapbox_is_told_what_is_wanted_and_whether_it_is_kept(fake: Fake) -> None:
    fake.script = lambda _: MAPBOX.success["mapbox.geocode"]
    (found,) = run("mapbox.geocode", query="1 Market Street", country="US", language="en", permanent=True)["places"]
    assert found == {
        "id": "dXJuOm1ieGFkcjox",
        "kind": "address",
        "address": "1 Market Street, San Francisco, California 94105, United States",
        "latitude": 37.78019,
        "longitude": -122.41122,
    }
    run("mapbox.reverse", latitude=37.78019, longitude=-122.41122)
    forward, reverse = fake.requests
    how = {"country": "US", "language": "en", "permanent": "true", "autocomplete": "false"}
    assert forward.path == "/search/geocode/v6/forward"
    assert forward.args() == {"q": "1 Market Street", **how, "access_token": TOKEN}
    assert reverse.path == "/search/geocode/v6/reverse"
    assert reverse.args() == {"longitude": "-122.4112200", "latitude": "37.7801900", "access_token": TOKEN}


@pytest.mark.parametrize("task", ["google-maps.geocode", "mapbox.geocode"])
def test_that_nothing_is_found_is_an_answer(task: str, fake: Fake) -> None:
    fake.script = lambda _: Answer(json={"status": "ZERO_RESULTS", "results": [], "features": []})
    assert run(task, query="nowhere at all") == {"places": []}


@pytest.mark.parametrize(("code", "well"), [("TokenValid", True), ("TokenExpired", False)])
def test_the_probe_of_mapbox_reads_what_a_200_says(code: str, well: bool, fake: Fake) -> None:
    fake.script = lambda _: Answer(json={"code": code})
    failure = mapbox.check(mapbox.find())
    assert (failure is None) is well
    assert well or isinstance(failure, Unauthorized)


@pytest.mark.parametrize(
    "point", [{"latitude": 91, "longitude": 0}, {"latitude": 0, "longitude": float("nan")}, {"latitude": 1}]
)
def test_points_that_cannot_be(point: dict[str, Any], fake: Fake) -> None:
    with pytest.raises(Invalid):
        run("mapbox.reverse", **point)
    assert not fake.requests
