"""Accounts: found by name, from the environment, a folder or a file; what is missing is said with the line that mends it."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from runtime import accounts as given
from runtime.redaction import scrub
from tasks.accounts import Account, BaseUrl, NotConfigured, find, is_elsewhere, names
from tasks.rate import Calls, Rate, rate
from tests.clock import Clock

Configure = Callable[..., None]


class Bank(Account):
    key: SecretStr
    user: str = "us"
    base_url: BaseUrl = "https://bank.example.com"
    rate: Rate | None = rate("80/s")


def mending(name: str) -> str:
    with pytest.raises(NotConfigured) as caught:
        find(name, "bank", Bank)
    return str(caught.value)


def test_an_account_is_read_from_the_environment(configure: Configure) -> None:
    configure(accounts__bank__key="s3cret-1", accounts__bank_eu__key="s3cret-2", accounts__bank_eu__rate="5/m")
    assert find("bank", "bank", Bank).key.get_secret_value() == "s3cret-1"
    eu = find("bank-eu", "bank", Bank)
    assert (eu.name, eu.rate, eu.user) == ("bank-eu", Calls(5, timedelta(minutes=1)), "us")
    assert names("bank") == ["bank", "bank-eu"]


def test_all_accounts_fit_into_one_variable(configure: Configure) -> None:
    configure(accounts=json.dumps({"bank-eu": {"key": "s3cret"}}))
    assert find("bank-eu", "bank", Bank).key.get_secret_value() == "s3cret"


@pytest.mark.parametrize("form", ["folder", "toml", "json"])
def test_an_account_is_read_from_a_folder_or_a_file(form: str, configure: Configure, tmp_path: Path) -> None:
    path = tmp_path / f"accounts.{form}"
    match form:
        case "folder":
            (path / "bank-eu").mkdir(parents=True)
            (path / "bank-eu" / "key").write_text("s3cret\n")
            (path / "bank-eu" / "..data").mkdir()  # Kubernetes' own
            (path / "..2026_11_22").mkdir()
        case "toml":
            path.write_text('[bank-eu]\nkey = "s3cret"\n')
        case "json":
            path.write_text('{"bank-eu": {"key": "s3cret"}}')
    configure(accounts_path=path)
    assert names("bank") == ["bank-eu"]
    assert find("bank-eu", "bank", Bank).key.get_secret_value() == "s3cret"
    configure(accounts__bank_eu__user="them")  # the environment adds, and wins
    assert find("bank-eu", "bank", Bank) == Bank(name="bank-eu", key=SecretStr("s3cret"), user="them")


def test_a_secret_that_is_rotated_in_its_folder_is_found_without_a_restart(
    configure: Configure, tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "key").write_text("s3cret-old")
    configure(accounts_path=tmp_path)
    old = find("bank", "bank", Bank)
    (tmp_path / "bank" / "key").write_text("s3cret-new")
    clock.advance(given.FRESH)
    new = find("bank", "bank", Bank)
    assert new.key.get_secret_value() == "s3cret-new"
    assert old != new  # so that a client is made for it


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "The account bank is not configured. Set TREADLE_ACCOUNTS__BANK__KEY=…"),
        (
            {"accounts__bank__ky": "s3cret"},
            (
                "The account bank is not configured. TREADLE_ACCOUNTS__BANK__KY: Extra inputs are not permitted. "
                "Set TREADLE_ACCOUNTS__BANK__KEY=…"
            ),
        ),
        (
            {"accounts__bank__key": "s3cret", "accounts__bank__rate": "many"},
            'The account bank is not configured. TREADLE_ACCOUNTS__BANK__RATE: a rate reads "50/s", "100/15m" or "500/d".',
        ),
        ({"accounts_path": "/nowhere.toml"}, "TREADLE_ACCOUNTS_PATH cannot be read (FileNotFoundError)."),
    ],
)
def test_what_is_missing_is_said_with_what_mends_it(settings: dict[str, str], sentence: str, configure: Configure) -> None:
    configure(**settings)
    assert mending("bank") == sentence


@pytest.mark.parametrize("text", ["{", "[]", '{"bank": "s3cret"}', "\x00"])
def test_a_file_that_is_no_table_of_accounts_is_said(text: str, configure: Configure, tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    path.write_text(text)
    configure(accounts_path=path)
    assert mending("bank").startswith("TREADLE_ACCOUNTS_PATH cannot be read")
    assert "s3cret" not in mending("bank")
    assert names("bank") == []
    assert not is_elsewhere("bank")


@pytest.mark.parametrize("name", ["stripe", "ban", "banker"])
def test_an_account_of_another_provider_is_refused(name: str, configure: Configure) -> None:
    configure(**{f"accounts__{name}__key": "s3cret"})
    assert "is not one of bank's" in mending(name)


def test_an_account_may_be_known_by_name_only(configure: Configure) -> None:
    configure(known_accounts="bank-eu, bank", accounts__bank__key="s3cret")
    assert is_elsewhere("bank-eu")
    assert not is_elsewhere("bank")
    assert not is_elsewhere("bank-us")
    assert names("bank") == ["bank", "bank-eu"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:80", "http://[::1]:9", "http://localhost", "https://bank.example.com/v1/", "https://10.0.0.1"]
)
def test_a_base_url_is_https_or_on_loopback(url: str) -> None:
    assert Bank(name="bank", key=SecretStr("x"), base_url=url).base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        *("http://bank.example.com", "http://10.0.0.1", "http://127.0.0.1.example.com", "http://localhost.example.com"),
        *("ftp://127.0.0.1", "https://me:s3cret@bank.example.com", "https://bank.example.com?key=s3cret", "bank", ""),
    ],
)
def test_any_other_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Bank(name="bank", key=SecretStr("x"), base_url=url)
    assert "s3cret" not in str(caught.value)


def test_a_found_secret_is_hidden_from_then_on_and_never_shown_by_itself(configure: Configure) -> None:
    configure(accounts__bank__key="s3cret-never-seen")
    account = find("bank", "bank", Bank)
    assert "s3cret" not in repr(account) + str(account)
    assert scrub("key=s3cret-never-seen&x=1") == "key=***&x=1"


@pytest.mark.parametrize(
    ("spelt", "number", "seconds"), [("50/s", 50, 1), ("100/15m", 100, 900), ("500/d", 500, 86_400), ("1/100ms", 1, 0.1)]
)
def test_a_rate_is_read(spelt: str, number: int, seconds: float) -> None:
    assert rate(spelt) == (number, timedelta(seconds=seconds))
    assert rate(spelt).a_second == pytest.approx(number / seconds)
    assert Bank(name="bank", key=SecretStr("x"), rate=rate(spelt)).model_dump()["rate"] == spelt


@pytest.mark.parametrize("spelt", ["", "50", "/s", "50/", "50/x", "-1/s", "0/s", "5/0s", "1.5/s", "50 / s", 50, None])
def test_what_is_no_rate_is_refused(spelt: str) -> None:
    with pytest.raises(ValueError, match="a rate"):
        rate(spelt)
