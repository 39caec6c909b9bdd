"""What services of Google have in common: keys of service accounts, and tokens that are made from them."""

import json
import threading
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, SecretStr

from runtime import clock, redaction

SCOPE = "https://www.googleapis.com/auth/cloud-platform"  # the only one that Storage takes in a token of our own
NEEDED = {"client_email", "private_key", "private_key_id", "token_uri"}
VALID = timedelta(hours=1)  # the most that Google takes
EARLY = timedelta(minutes=10)


def _check_key_file(text: SecretStr) -> SecretStr:
    try:
        fields = json.loads(text.get_secret_value())
        whole = fields["type"] == "service_account" and fields.keys() >= NEEDED
    except (ValueError, TypeError, KeyError, AttributeError):
        whole = False
    if not whole:
        raise ValueError("this is not the JSON key of a service account")
    return text


Key = Annotated[SecretStr, AfterValidator(_check_key_file)]
"""The JSON key of a service account, whole."""


class Tokens:
    """Signs requests with tokens that we make, as Google's client for C++ does: nobody is asked for one.

    google-auth's own session repeats a call after a 401, and asks Google in a thread in which regions the account may act.
    """

    def __init__(self, key: SecretStr) -> None:
        self._fields = json.loads(key.get_secret_value())
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def __call__(self, request: Any) -> Any:
        request.headers["authorization"] = f"Bearer {self._current()}"
        return request

    def _current(self) -> str:
        with self._lock:
            if clock.monotonic() > self._until:
                self._token, self._until = self._made(), clock.monotonic() + (VALID - EARLY).total_seconds()
                redaction.hide([self._token])
            return self._token

    def _made(self) -> str:
        import jwt

        now, who = clock.now(), self._fields["client_email"]
        claims = {"iss": who, "sub": who, "scope": SCOPE, "iat": now, "exp": now + VALID}
        return jwt.encode(claims, self._fields["private_key"], "RS256", {"kid": self._fields["private_key_id"]})
