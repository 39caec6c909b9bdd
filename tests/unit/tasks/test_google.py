"""Tokens for Google, made from a service account's key."""

from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from runtime.redaction import scrub
from tasks.google import Key, Tokens
from tests.clock import Clock
from tests.contract.integrations.entries.gcs import service_account

KEY = SecretStr(service_account())


def signed(tokens: Tokens) -> str:
    request: Any = SimpleNamespace(headers={})
    kind, _, token = tokens(request).headers["authorization"].partition(" ")
    assert kind == "Bearer"
    return str(token)


def test_a_token_says_who_we_are_and_what_we_want_for_an_hour(clock: Clock) -> None:
    token = signed(Tokens(KEY))
    said = jwt.decode(token, options={"verify_signature": False})
    assert said["iss"] == said["sub"] == "treadle@p.iam.gserviceaccount.com"
    assert said["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert said["exp"] - said["iat"] == 3600
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert token not in scrub(f"it said {token}")


def test_a_token_is_kept_and_made_anew_before_it_ends(clock: Clock) -> None:
    tokens = Tokens(KEY)
    first = signed(tokens)
    clock.advance(49 * 60)
    assert signed(tokens) == first
    clock.advance(2 * 60)
    assert signed(tokens) != first


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"type": "authorized_user"}', "/run/secrets/key.json"])
def test_what_is_no_key_of_a_service_account_is_refused_unseen(text: str) -> None:
    with pytest.raises(ValidationError, match="this is not the JSON key of a service account"):
        TypeAdapter(Key).validate_python(SecretStr(text))
