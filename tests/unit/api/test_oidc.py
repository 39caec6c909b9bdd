"""Tokens of an identity provider: who they stand for, and every way in which one does not hold."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as make_ec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as make_rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pytest_httpserver import HTTPServer
from sqlalchemy import select

from api.oidc import AGAIN, KEEP
from jobs.model import Deed
from runtime import clock as real_clock
from runtime.database import snapshot
from tests.clock import Clock
from tests.contract.door import Door, on_sqlite

RSA, OTHER, EC = make_rsa(65537, 2048), make_rsa(65537, 2048), make_ec(SECP256R1())
KEYS = [
    RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | {"kid": "one", "alg": "RS256", "use": "sig"},
    ECAlgorithm.to_jwk(EC.public_key(), as_dict=True) | {"kid": "two", "alg": "ES256", "use": "sig"},
]


@pytest.fixture
def provider(httpserver: HTTPServer) -> HTTPServer:
    """An identity provider that publishes two keys."""
    document = {"issuer": issuer(httpserver), "jwks_uri": httpserver.url_for("/keys")}
    httpserver.expect_request("/.well-known/openid-configuration").respond_with_json(document)
    httpserver.expect_request("/keys").respond_with_json({"keys": KEYS})
    return httpserver


@pytest.fixture
def door(provider: HTTPServer, sqlite_template: Path, tmp_path: Path) -> Iterator[Door]:
    given = {"oidc_issuer": issuer(provider), "oidc_audience": "treadle", "oidc_roles_claim": "access.roles"}
    with on_sqlite(sqlite_template, tmp_path, **given) as opened:
        yield opened


def issuer(server: HTTPServer) -> str:
    return server.url_for("").replace("localhost", "127.0.0.1").rstrip("/")


def token(provider: HTTPServer, *roles: str, key: Any = RSA, kid: str = "one", by: str = "RS256", **claims: Any) -> str:
    now = real_clock.now().timestamp()
    usual = {"iss": issuer(provider), "aud": "treadle", "sub": "ada@example.com", "exp": now + 300, "iat": now}
    whole = {**usual, "access": {"roles": list(roles)}, **claims}
    return jwt.encode({name: value for name, value in whole.items() if value is not None}, key, by, {"kid": kid})


def status(door: Door, bearer: str, method: str = "GET", path: str = "/v1/jobs", **given: Any) -> int:
    return door.ask(method, path, headers={"authorization": f"Bearer {bearer}"}, **given).status_code


JOB = {"task": "http.request", "payload": {"url": "https://example.com/"}}


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("viewer", [200, 403, 403, 403]),
        ("operator", [200, 404, 403, 403]),
        ("writer", [200, 404, 202, 403]),
        ("admin", [200, 404, 202, 200]),
    ],
)
def test_a_role_is_a_scope(role: str, may: list[int], door: Door, provider: HTTPServer) -> None:
    bearer = token(provider, "other", role, "viewer")
    asked = [
        ("GET", "/v1/jobs", None), ("POST", "/v1/jobs/01980000-0000-7000-8000-000000000000/cancel", None),
        ("POST", "/v1/jobs", JOB), ("GET", "/v1/keys", None),
    ]  # fmt: skip
    assert [status(door, bearer, method, path, json=body) for method, path, body in asked] == may


def test_keys_go_on_beside_tokens(door: Door) -> None:
    assert door.ask("GET", "/v1/jobs").status_code == 200


def test_another_kind_of_key_is_taken(door: Door, provider: HTTPServer) -> None:
    assert status(door, token(provider, "viewer", key=EC, kid="two", by="ES256")) == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://elsewhere.example"}, {"iss": None}, {"aud": "another"}, {"aud": None}, {"sub": None},
        {"exp": 1}, {"exp": None}, {"exp": "soon"}, {"nbf": 9_999_999_999}, {"kid": "three"}, {"key": OTHER},
        {"key": "x" * 64, "by": "HS256"}, {"key": None, "by": "none"},
    ],
    ids=" ".join,  # a key has another name in each process
)  # fmt: skip
def test_a_token_that_does_not_hold_is_no_key(wrong: dict[str, Any], door: Door, provider: HTTPServer) -> None:
    assert status(door, token(provider, "admin", **wrong)) == 401


@pytest.mark.parametrize("bearer", ["x", "a.b.c", "tr_x", "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_token_is_no_key(bearer: str, door: Door) -> None:
    assert status(door, bearer) == 401


@pytest.mark.parametrize("access", [{"roles": ["owner"]}, {"roles": []}, {}, "admin", {"roles": {"admin": True}}, None])
def test_a_token_without_a_role_may_nothing(access: Any, door: Door, provider: HTTPServer) -> None:
    assert status(door, token(provider, access=access)) == 403


def test_roles_may_be_words_between_spaces(door: Door, provider: HTTPServer) -> None:
    assert status(door, token(provider, access={"roles": "owner writer"}), "POST", json=JOB) == 202


def test_a_viewer_sees_no_payloads(door: Door, provider: HTTPServer) -> None:
    job = door.ask("POST", "/v1/jobs", json=JOB).json()["id"]
    seen = {
        role: door.ask("GET", f"/v1/jobs/{job}", headers={"authorization": f"Bearer {token(provider, role)}"}).json()
        for role in ("viewer", "operator")
    }
    assert seen["viewer"]["payload"] is None
    assert seen["operator"]["payload"] == JOB["payload"]


def test_the_audit_log_names_the_subject(door: Door, provider: HTTPServer) -> None:
    door.ask("POST", "/v1/queues/default/pause", headers={"authorization": f"Bearer {token(provider, 'admin')}"})
    with snapshot() as session:
        (deed,) = session.scalars(select(Deed)).all()
    assert deed.detail == {"subject": "ada@example.com"}
    assert deed.who.startswith("oid_")


def test_the_provider_s_keys_are_fetched_once_and_an_unknown_one_asks_seldom(
    door: Door, provider: HTTPServer, clock: Clock
) -> None:
    for _ in range(3):
        assert status(door, token(provider, "viewer")) == 200
    assert len(provider.log) == 2  # discovery and keys
    for number in range(5):
        assert status(door, token(provider, "viewer", kid=f"unknown {number}")) == 401
    assert len(provider.log) == 2
    clock.advance(AGAIN)
    assert status(door, token(provider, "viewer", kid="unknown")) == 401
    assert len(provider.log) == 4


def test_while_the_provider_is_away_the_keys_that_are_known_still_hold(
    door: Door, provider: HTTPServer, clock: Clock
) -> None:
    assert status(door, token(provider, "viewer")) == 200
    provider.clear()
    clock.advance(timedelta(seconds=KEEP + 1))
    assert status(door, token(provider, "viewer")) == 200
    assert [line["event"] for line in door.log][-1].startswith("the identity provider's keys")
