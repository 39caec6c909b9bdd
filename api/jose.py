"""Tokens (JWT): read, and held against keys. PyJWT brings cryptography along, which is imported for who has such tokens."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jwt import PyJWK


def key_id(token: str) -> str | None:
    """Which key a token says it was signed with.

    Raises:
        ValueError: it is no token.
    """
    import jwt

    try:
        found: str | None = jwt.get_unverified_header(token).get("kid")
    except jwt.PyJWTError as error:
        raise ValueError(str(error)) from error
    return found


def key_set(document: bytes) -> "dict[str | None, PyJWK]":
    """The keys of a JSON web key set, by their ids.

    Raises:
        ValueError: it is none, or has no key that can be used.
    """
    import jwt

    try:
        found = jwt.PyJWKSet.from_json(document)  # type: ignore[arg-type]  # it takes what json.loads takes
    except (jwt.PyJWTError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from error
    return {key.key_id: key for key in found.keys}


def claims(
    token: str,
    key: "PyJWK | str",
    signed_by: Sequence[str],
    needed: Sequence[str],
    audience: str | None = None,
    issuer: str | Sequence[str] | None = None,
) -> dict[str, Any]:
    """What a token says, if the key signed it. Its times are for the caller to judge, by our own clock.

    Raises:
        ValueError: it does not hold, lacks what is needed, or is not by and for whom it should be.
    """
    import jwt
    from jwt.types import Options

    timeless: Options = {"require": list(needed), "verify_exp": False, "verify_iat": False, "verify_nbf": False}
    try:
        found: dict[str, Any] = jwt.decode(token, key, signed_by, audience=audience, issuer=issuer, options=timeless)
    except jwt.PyJWTError as error:
        raise ValueError(str(error)) from error
    return found
