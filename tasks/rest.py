"""Accounts of providers that are called over plain HTTP, with no SDK between."""

import base64
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import SecretStr

from runtime import redaction
from tasks import http
from tasks.accounts import Account, BaseUrl
from tasks.answers import Answered
from tasks.reply import Reply


class RestAccount(Account):
    """An account whose calls go to `base_url` with some headers of its own."""

    base_url: BaseUrl

    def headers(self) -> Mapping[str, str]:
        """What each call says of itself: mostly, who it is from."""
        return {}

    def call(
        self, method: str, path: str, *, fine: Collection[int] = (), headers: Mapping[str, str] | None = None, **body: Any
    ) -> Reply:
        """Make one call; `body` is what `http.send` takes: json, form, parts, content, timeout.

        Raises:
            Answered: with a status that is neither 2xx nor one of `fine`.
            TaskError: as `http.send`.
        """
        said = {**self.headers(), **(headers or {})}
        reply = http.send(method, self.base_url + path, headers=said, guarded=False, **{"timeout": self.timeout, **body})
        if not (200 <= reply.status < 300 or reply.status in fine):
            raise Answered(reply)
        return reply


def bearer(token: SecretStr) -> dict[str, str]:
    """The header of a bearer token."""
    return {"authorization": f"Bearer {token.get_secret_value()}"}


def basic(user: str, password: SecretStr) -> dict[str, str]:
    """The header of Basic authentication."""
    pair = base64.b64encode(f"{user}:{password.get_secret_value()}".encode()).decode()
    redaction.hide([pair])
    return {"authorization": f"Basic {pair}"}
