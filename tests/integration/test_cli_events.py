"""`treadle events`, `subscriptions`, `endpoints` and `hooks`, against the real door."""

import json
import sys
from collections.abc import Callable

import pytest

from cli.app import main
from tests.contract.door import Door
from tests.contract.senders import SECRET

Treadle = Callable[..., str]


@pytest.fixture
def treadle(door: Door, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Treadle:
    """Run a command, which must succeed: what it printed."""
    monkeypatch.setenv("TREADLE_URL", door.url)
    monkeypatch.setenv("TREADLE_KEY", door.keys["admin"])

    def run(*arguments: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["treadle", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert int(ended.value.code or 0) == code, printed.err
        return printed.out + printed.err

    return run


def test_from_a_subscription_to_a_replay(treadle: Treadle, door: Door) -> None:
    made = treadle(
        "subscriptions", "create", "receipt", "order.*", "order.refunded", "--task", "http.request",
        "--payload", '{"url": "https://example.com/{{data.order}}"}', "--filter", '{"data": {"order": [7]}}',
    )  # fmt: skip
    assert made == "receipt: order.* order.refunded makes http.request\n"
    assert "https://example.com/7" in treadle("events", "send", "order.paid", '{"order": 7}', "--dry")
    event_id, _, said = treadle("events", "send", "order.paid", '{"order": 7}', "--id", "1").partition(" ")
    assert said == "(1 rules, 1 jobs)\n"
    assert "known already" in treadle("events", "send", "order.paid", '{"order": 7}', "--id", "1")
    assert "http.request" in treadle("events", "show", event_id)
    treadle("events", "send", "order.paid", '{"order": 8}')
    assert treadle("events", "list", "--dead").count("order.paid") == 1
    assert treadle("events", "list", "--type", "order.paid").count("order.paid") == 2
    assert treadle("events", "replay", event_id, "--to", "receipt") == "1 events, 1 jobs\n"
    span = ("--since", "2020-01-01T00:00:00Z", "--until", "2030-01-01T00:00:00Z")
    assert treadle("events", "replay", *span) == "2 events, 1 jobs\n"
    assert "Which events?" in treadle("events", "replay", code=1)
    assert "paused" in treadle("subscriptions", "pause", "receipt")
    assert "paused" in treadle("subscriptions", "list")
    assert "paused" not in treadle("subscriptions", "resume", "receipt")
    assert treadle("subscriptions", "delete", "receipt") == "receipt is deleted\n"
    door.jobs_made += 3  # by commands, and not by the door's own client


def test_an_endpoint_from_its_making_to_its_end(treadle: Treadle, door: Door) -> None:
    endpoint = treadle("endpoints", "create", "https://example.com/hook", "order.*", "--header", "X-Team=a").strip()
    assert treadle("endpoints", "secret", endpoint).startswith("whsec_")
    assert treadle("endpoints", "rotate", endpoint, "--overlap", "1h").count("whsec_") == 2
    treadle("endpoints", "ping", endpoint)
    door.jobs_made += 1
    assert "endpoint.ping" in treadle("endpoints", "deliveries", endpoint)
    assert "well" in treadle("endpoints", "list")
    assert "is disabled" in treadle("endpoints", "disable", endpoint)
    assert "by hand" in treadle("endpoints", "list")
    assert "0 deliveries revived" in treadle("endpoints", "enable", endpoint)
    assert "is deleted" in treadle("endpoints", "delete", endpoint)
    assert treadle("endpoints", "list") == "No endpoints.\n"


def test_a_source_from_its_making_to_its_end(treadle: Treadle, door: Door) -> None:
    assert "stripe" in treadle("hooks", "kinds")
    assert treadle("hooks", "create", "stripe", "--secret", SECRET) == f"{door.url}/v1/hooks/stripe\n"
    assert "url" in treadle("hooks", "create", "square", "--secret", SECRET, code=1)
    treadle("hooks", "change", "stripe", "--secret", SECRET, "--secret", SECRET[::-1])
    (shown,) = json.loads(treadle("hooks", "list", "--json"))["sources"]
    assert (shown["kind"], shown["secrets"]) == ("stripe", 2)
    assert treadle("hooks", "delete", "stripe") == "stripe is deleted\n"
    assert treadle("hooks", "list") == "No sources.\n"
