"""/v1/providers: how accounts stand, and checking one as a job."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from pytest_httpserver import HTTPServer

from jobs import holds
from jobs.errors import Rejected, Transient, Unauthorized
from jobs.model import Cause
from runtime.database import transaction
from tasks import catalogue, health
from tasks.accounts import Account
from tasks.context import Context
from tests.clock import Clock
from tests.contract.door import Door

Configure = Callable[..., None]
NO_TIME = timedelta(0)


class Known(Account):
    """An account."""

    base_url: str = "http://127.0.0.1:9"


@pytest.fixture
def sendgrid(configure: Configure, httpserver: HTTPServer) -> str:
    """An account that is configured, and where it calls."""
    configure(
        accounts__sendgrid__api_key="SG.secret",
        accounts__sendgrid__base_url=httpserver.url_for(""),
        accounts__sendgrid__rate="5/s",
    )
    return "sendgrid"


def standing(door: Door, account: str) -> dict[str, object]:
    listed = door.ask("GET", "/v1/providers").json()["accounts"]
    return next(found for found in listed if found["account"] == account)


def test_an_account_that_is_not_configured_says_what_mends_it(door: Door) -> None:
    shown = standing(door, "sendgrid")
    assert shown["available"] is False
    assert "TREADLE_ACCOUNTS__SENDGRID__API_KEY" in str(shown["missing"])


def test_a_configured_account_is_well_and_shows_its_rate(door: Door, sendgrid: str) -> None:
    shown = standing(door, sendgrid)
    assert (shown["available"], shown["missing"], shown["state"], shown["rate"]) == (True, None, "well", "5/s")
    assert shown["has_probe"] is True


def test_an_account_whose_calls_fail_shows_why_and_when_it_is_probed(door: Door, sendgrid: str, clock: Clock) -> None:
    for _ in range(10):
        health.report(Known(name=sendgrid), Transient("503 Service Unavailable"), NO_TIME)
    shown = standing(door, sendgrid)
    assert shown["state"] == "circuit"
    assert "503" in str(shown["why"])
    assert shown["until"] == (clock.now() + timedelta(seconds=30)).isoformat().replace("+00:00", "Z")


def test_credentials_that_are_refused_hold_the_account_at_once_and_a_403_does_not(sendgrid: str, ledger: object) -> None:
    health.report(Known(name=sendgrid), Unauthorized("no such scope", status=403), NO_TIME)
    health.report(Known(name=sendgrid), Rejected("no such template", status=400), NO_TIME)
    assert not holds.read()
    error = Unauthorized("no such key", status=401)
    health.report(Known(name=sendgrid), error, NO_TIME)
    assert holds.read()[sendgrid].cause is Cause.CIRCUIT
    assert error.account is None, "the job that met it fails"


def test_checking_an_account_is_a_job(door: Door, sendgrid: str) -> None:
    accepted = door.ask("POST", f"/v1/providers/{sendgrid}/check")
    assert accepted.status_code == 202
    job = accepted.json()
    assert (job["task"], job["priority"]) == ("account.check", "critical")
    assert accepted.headers["location"] == f"/v1/jobs/{job['id']}"


@pytest.mark.parametrize(("account", "status"), [("nobody", 404), ("UPPER", 404)])
def test_an_account_that_cannot_be_checked_is_refused(door: Door, account: str, status: int) -> None:
    assert door.ask("POST", f"/v1/providers/{account}/check").status_code == status


@pytest.mark.parametrize("answer", [200, 401])
def test_a_check_says_what_the_account_answers_and_lifts_its_hold_if_it_does(
    sendgrid: str, httpserver: HTTPServer, ledger: object, answer: int
) -> None:
    with transaction() as session:
        holds.wait(session, sendgrid, "told to wait", None, timedelta(hours=1))
    httpserver.expect_request("/v3/scopes").respond_with_json({}, status=answer)
    task = catalogue.find("account.check")
    said = task.call(task.read({"account": sendgrid}), Context(job_id=uuid4(), task="account.check"))
    assert said["answers"] is (answer == 200)
    assert "SG.secret" not in str(said)
    assert holds.read()[sendgrid].cause is (Cause.RAMP if answer == 200 else Cause.ASKED)


def test_a_check_without_credentials_says_what_is_missing(door: Door) -> None:
    task = catalogue.find("account.check")
    with pytest.raises(Rejected, match="TREADLE_ACCOUNTS__SENDGRID"):
        task.call(task.read({"account": "sendgrid"}), Context(job_id=uuid4(), task="account.check"))
