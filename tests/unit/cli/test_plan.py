"""Ports, addresses and what is kept, before anything starts."""

import json
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.complaint import Complaint
from cli.up import plan as plans
from cli.up.home import Home
from cli.up.plan import Asked, settle, without_password
from cli.up.ports import Ports, is_free


@pytest.fixture
def home(tmp_path: Path, configure: Callable[..., None]) -> Iterator[Home]:
    made = Home(tmp_path / "home")
    made.hold()
    yield made
    made.release()


def test_the_next_free_port_is_taken_and_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        monkeypatch.setattr(plans, "API_PORT", taken)
        plan = settle(Asked(home.folder, flower_port=0), home)
    assert plan.api_port > taken
    assert f"port {taken} is taken, the API is on {plan.api_port}" in plan.notes
    assert plan.flower is None


def test_a_named_port_must_be_free(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        with pytest.raises(Complaint, match=f"Port {taken} is taken"):
            settle(Asked(home.folder, port=taken), home)
        with pytest.raises(Complaint, match="--flower-port"):
            settle(Asked(home.folder, flower_port=taken), home)


def test_no_port_is_given_twice() -> None:
    ports = Ports()
    first = ports.any()
    assert ports.any(last=first) != first
    with pytest.raises(Complaint):
        ports.asked(first, "--port")


def test_passwords_and_ports_are_kept_for_the_next_start(home: Home) -> None:
    asked = Asked(home.folder, workers=2, cpu_workers=1)
    first = settle(asked, home)
    home.keep(first.kept)
    second = settle(asked, home)
    assert second.broker_url == first.broker_url
    assert second.metrics == first.metrics
    assert set(second.metrics) == {"scheduler", "worker-1", "worker-2", "cpu-1"}
    assert set(settle(Asked(home.folder, workers=2, small=True), home).metrics) == {"worker-1", "worker-2"}
    assert stat.S_IMODE((home.folder / "keep.json").stat().st_mode) == 0o600


def test_a_broken_keep_file_is_no_obstacle(home: Home) -> None:
    (home.folder / "keep.json").write_text("{")
    assert settle(Asked(home.folder), home).kept["broker_password"]


def test_the_users_own_addresses_are_used_and_never_shown_whole(home: Home) -> None:
    asked = Asked(home.folder, database_url="postgresql://me:hush@db/x", broker_url="redis://:hush@r:6379/0")
    plan = settle(asked, home)
    assert plan.broker_port == 0
    assert plan.environment("api")["TREADLE_DATABASE_URL"] == asked.database_url
    assert plan.environment("worker-1")["TREADLE_METRICS_PORT"] == str(plan.metrics["worker-1"])
    assert "hush" not in plan.database + plan.broker
    assert without_password("redis://:hush@r:6379/0") == "redis://:…@r:6379/0"
    assert without_password("sqlite:///x.db") == "sqlite:///x.db"


def test_private_targets_are_allowed_unless_the_user_has_spoken(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = settle(Asked(home.folder), home)
    assert plan.environment()[plans.PRIVATE] == "1"
    assert any(plans.PRIVATE in note for note in plan.notes)
    monkeypatch.setenv(plans.PRIVATE, "0")
    assert plans.PRIVATE not in plan.environment()
    assert settle(Asked(home.folder), home).notes == [note for note in plan.notes if plans.PRIVATE not in note]


def test_one_holder_a_home_and_up_json_is_whole_and_private(home: Home) -> None:
    with pytest.raises(Complaint, match=r"already up on .* \(process \d+\)"):
        Home(home.folder).hold()
    home.up({"api": "x"})
    written = home.folder / "up.json"
    assert json.loads(written.read_text()) == {"api": "x"}
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert [path.name for path in home.folder.glob(".*")] == []
    home.down()
    home.down()
    assert not written.exists()


def test_a_free_port_is_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        assert not is_free(holder.getsockname()[1])


def test_a_sandbox_has_ports_and_accounts_of_its_own(home: Home) -> None:
    plan = settle(Asked(home.folder, sandbox=True), home)
    assert plan.sandbox_ports is not None
    assert len({plan.api_port, plan.flower_port, *plan.sandbox_ports}) == 4
    assert plan.environment()["TREADLE_ACCOUNTS_PATH"] == str(home.folder / "sandbox.json")
    assert "TREADLE_ACCOUNTS_PATH" not in settle(Asked(home.folder), home).environment()


@pytest.mark.parametrize("variable", ["TREADLE_ACCOUNTS__STRIPE__API_KEY", "TREADLE_ACCOUNTS_PATH", "TREADLE_SMTP_URL"])
def test_a_sandbox_is_refused_where_somebody_real_could_be_called(
    home: Home, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "x")
    with pytest.raises(Complaint, match=f"Unset {variable}"):
        settle(Asked(home.folder, sandbox=True), home)
