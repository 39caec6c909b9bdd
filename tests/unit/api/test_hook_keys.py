"""Keys that providers publish: fetched once a day, from their own hosts, and not believed when they cannot be read."""

from base64 import b64encode
from collections.abc import Callable

import httpx2
import pytest
from cryptography.hazmat.primitives.hashes import SHA256

from api.hooks import keys, sns
from api.hooks.proof import fresh, same
from jobs.errors import Forged, Transient
from tasks import http
from tests.clock import Clock
from tests.contract import senders

AT_AWS = "https://sns.eu-west-1.amazonaws.com/key.pem"
SIGNED = b"signed"


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that were fetched; each answers with a certificate."""
    asked: list[str] = []

    def send(method: str, url: str, **_: object) -> http.Reply:
        asked.append(url)
        return http.Reply(method, url, 200, httpx2.Headers(), senders._certificate())

    monkeypatch.setattr(keys, "_fetched", {})
    monkeypatch.setattr(http, "send", send)
    return asked


def prove(url: str = AT_AWS) -> None:
    signature = senders._RSA.sign(SIGNED, senders.padding.PKCS1v15(), SHA256())
    keys.rsa(url, sns.HOST, b64encode(signature).decode(), SIGNED, "SHA256")


def test_a_certificate_is_fetched_once_a_day(fetched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("runtime.clock.monotonic", lambda: now[0])
    prove()
    prove()
    assert fetched == [AT_AWS]
    now[0] += keys.KEEP + 1
    prove()
    assert fetched == [AT_AWS] * 2


def test_a_certificate_that_is_out_of_date_proves_nothing(fetched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    moved = Clock()
    monkeypatch.setattr("runtime.clock.now", moved.now)  # months before it was made
    with pytest.raises(Forged):
        prove()


def test_a_provider_that_is_away_or_talks_rubbish_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> http.Reply:
        raise Transient("no connection")

    def rubbish(*_: object, **__: object) -> http.Reply:
        return http.Reply("GET", AT_AWS, 200, httpx2.Headers(), b"<html>")

    monkeypatch.setattr(keys, "_fetched", {})
    for send in (away, rubbish):
        monkeypatch.setattr(http, "send", send)
        with pytest.raises(Forged):
            prove()
    assert keys._fetched == {}, "what could not be read was kept"


@pytest.mark.parametrize(
    "check", [lambda: same(["a"], ["b"]), lambda: same([], ["a"]), lambda: same(["a"], []), lambda: same(["ä"], [b"\xe4"])]
)
def test_what_is_not_the_same_is_refused(check: Callable[[], None]) -> None:
    with pytest.raises(Forged):
        check()


def test_any_secret_may_match_any_signature() -> None:
    same(["a", "b"], ["x", b"b"])


@pytest.mark.parametrize(
    ("off", "holds"), [(0, True), (299, True), (-299, True), (301, False), (-301, False), (float("nan"), False)]
)
def test_a_time_holds_for_five_minutes_either_way(clock: Clock, off: float, holds: bool) -> None:
    at = clock.now().timestamp() + off
    if holds:
        assert fresh(str(at)) == at
    else:
        with pytest.raises(Forged):
            fresh(str(at))
