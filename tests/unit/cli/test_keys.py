"""`treadle migrate` and `treadle keys`, on a database file of their own, and over an API."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.app import main
from jobs import keys
from jobs.reach import Reach
from runtime import database
from tests.contract.door import on_sqlite

Treadle = Callable[..., tuple[int, str, str]]


@pytest.fixture
def treadle(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], configure: Callable[..., None], tmp_path: Path
) -> Iterator[Treadle]:
    configure(database_url=f"sqlite:///{tmp_path / 'keys.db'}")
    database.use(None)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["treadle", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    yield run
    database.use(None)


def test_a_key_from_making_to_its_end(treadle: Treadle) -> None:
    code, _, err = treadle("keys", "create", "ci")
    assert (code, "`treadle migrate` makes them" in err) == (1, True)
    assert treadle("migrate")[0] == 0
    assert "No keys." in treadle("keys", "list")[1]
    key = treadle("keys", "create", "ci", "--scope", "read", "--lifetime", "90d")[1].strip()
    with database.transaction() as session:
        caller = keys.verify(session, key)
    assert caller
    assert caller.scope == "read"
    out = treadle("keys", "list")[1]
    assert caller.key_id in out
    assert key not in out
    assert "in 90 d" in out
    assert treadle("keys", "revoke", key)[0] == 0
    assert "revoked" in treadle("keys", "list")[1]
    code, _, err = treadle("keys", "revoke", key)
    assert (code, "There is no live key" in err) == (1, True)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("database_url", "nonsense", "is no address of a database"),
        ("database_url", "oracle://x/y", "is not supported"),
        ("database_url", "sqlite:////nowhere/at/all.db", "cannot be used"),
        ("heartbeat", "soon", "TREADLE_HEARTBEAT"),
    ],
)
def test_a_wrong_setting_is_a_sentence(
    treadle: Treadle, configure: Callable[..., None], variable: str, value: str, sentence: str
) -> None:
    configure(**{variable: value})
    code, _, err = treadle("keys", "list")
    assert code == 1
    assert sentence in err


def test_a_lifetime_is_a_length_of_time(treadle: Treadle) -> None:
    treadle("migrate")
    assert "no length of time" in treadle("keys", "create", "x", "--lifetime", "soon")[2]
    assert "longer than nothing" in treadle("keys", "create", "x", "--lifetime", "0s")[2]


def test_a_rotated_key_has_two_secrets_for_a_while(treadle: Treadle) -> None:
    treadle("migrate")
    first = treadle("keys", "create", "ci")[1].strip()
    second = treadle("keys", "rotate", first, "--overlap", "10m")[1].strip()
    with database.transaction() as session:
        assert keys.verify(session, first) == keys.verify(session, second)
    assert "There is no live key" in treadle("keys", "rotate", "nothing")[2]


def test_a_key_is_restricted_and_blind_by_its_options(treadle: Treadle) -> None:
    treadle("migrate")
    options = ("--scope", "read", "--task", "stripe.*", "--queue", "default", "--blind", "--quota", "60")
    key = treadle("keys", "create", "support", *options)[1].strip()
    with database.transaction() as session:
        caller = keys.verify(session, key)
    assert caller is not None
    assert (caller.reach, caller.blind, caller.quota) == (Reach(("stripe.*",), ("default",)), True, 60)
    assert "stripe.*, default" in treadle("keys", "list")[1]
    assert "is no pattern" in treadle("keys", "create", "x", "--task", "a*b")[2]
    assert "--scope read only" in treadle("keys", "create", "x", "--blind")[2]


def test_with_the_address_of_an_api_the_keys_are_its_own(
    treadle: Treadle, monkeypatch: pytest.MonkeyPatch, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with on_sqlite(sqlite_template, tmp_path_factory.mktemp("door")) as door:
        monkeypatch.setenv("TREADLE_URL", door.url)
        monkeypatch.setenv("TREADLE_KEY", door.keys["admin"])
        code, made, _ = treadle("keys", "create", "ci", "--scope", "read", "--task", "stripe.*", "--json")
        key = json.loads(made)
        assert (code, key["name"], key["tasks"]) == (0, "ci", ["stripe.*"])
        assert "stripe.*" in treadle("keys", "show", key["id"])[1]
        second = treadle("keys", "rotate", key["key"])[1].strip()
        with database.transaction() as session:
            assert keys.verify(session, second) == keys.verify(session, key["key"])
        assert treadle("keys", "revoke", key["id"])[0] == 0
        assert "revoked" in treadle("keys", "list")[1]
        assert "There is no live key" in treadle("keys", "revoke", "nothing")[2]
        assert treadle("keys", "create", "x", "--task", "a*b")[0] == 1
        monkeypatch.setenv("TREADLE_KEY", door.keys["write"])
        code, _, said = treadle("keys", "list")
        assert (code, "'admin'" in said) == (1, True)
