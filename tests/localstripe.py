"""localstripe, an independent implementation of Stripe that keeps what it is told and posts webhooks."""

import sys
from typing import Any

import httpx2

from tests.servers import Server

KEY = "sk_test_12345"
START = "from aiohttp import web; from localstripe.server import app; web.run_app(app, host='127.0.0.1', port={port})"


class LocalStripe(Server):
    """Its own command would listen on every address of the machine."""

    name = "localstripe"

    def _command(self) -> list[str]:
        return [sys.executable, "-c", START.format(port=self.port)]

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/v1/balance", auth=(KEY, ""), timeout=1, trust_env=False).status_code == 200
        except httpx2.HTTPError:
            return False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> dict[str, Any]:
        """What it holds."""
        answer = httpx2.get(f"{self.url}{path}", auth=(KEY, ""), timeout=5, trust_env=False)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found
