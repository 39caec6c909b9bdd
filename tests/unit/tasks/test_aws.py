"""Accounts of AWS, and what its client says before any call. What it says of calls is tests/contract/integrations."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from jobs.errors import Rejected, Unauthorized
from tasks import Context, catalogue, clients, load
from tasks.integrations.s3 import s3


@pytest.fixture(autouse=True)
def _account(configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    load()
    clients.close()
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    configure(accounts__s3__region="eu-central-1", accounts__s3__bucket="my-bucket")


def sign() -> str:
    task = catalogue.find("s3.sign")
    url: str = task.call(task.accept({"key": "a b.txt"}), Context(uuid4(), "s3.sign"))["url"]
    return url


def test_a_key_without_its_secret_is_refused(configure: Callable[..., None]) -> None:
    configure(accounts__s3__access_key_id="AKIATEST")
    said = "The account s3 is not configured. Its fields: access_key_id and secret_access_key go together."
    assert s3.missing() == said


def test_without_a_key_the_machine_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMACHINE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-machine")
    assert "AKIAMACHINE" in sign()


def test_a_machine_without_a_role_is_unauthorized() -> None:
    with pytest.raises(Unauthorized) as caught:
        sign()
    assert caught.value.code == "NoCredentialsError"


def test_the_key_of_the_account_signs_for_its_bucket_and_region(configure: Callable[..., None]) -> None:
    keys = {"access_key_id": "AKIATEST", "secret_access_key": "secret-of-the-test", "session_token": "for-a-while"}
    configure(**{f"accounts__s3__{name}": value for name, value in keys.items()})
    url = urlsplit(sign())
    assert (url.scheme, url.netloc, url.path) == ("https", "my-bucket.s3.eu-central-1.amazonaws.com", "/a%20b.txt")
    said = parse_qs(url.query)
    assert said["X-Amz-Credential"][0].startswith("AKIATEST/") and "/eu-central-1/s3/" in said["X-Amz-Credential"][0]
    assert said["X-Amz-Security-Token"] == ["for-a-while"]
    assert "secret-of-the-test" not in url.query


def test_what_cannot_be_a_call_is_refused_before_it(configure: Callable[..., None]) -> None:
    configure(accounts__s3__access_key_id="AKIATEST", accounts__s3__secret_access_key="secret-of-the-test")
    task = catalogue.find("s3.sign")
    with pytest.raises(Rejected) as caught:
        task.call(task.accept({"key": "a.txt", "bucket": "$not..a-bucket"}), Context(uuid4(), "s3.sign"))
    assert caught.value.code == "ParamValidationError"
