"""An API that is only pretended, and the command that talks to it."""

import json
import sys
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from cli import client, remote
from cli.app import main


class Pretended:
    """Answers by method and path; remembers what was asked."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], list[tuple[int, Any]]] = {}
        self.asked: list[httpx2.Request] = []

    def on(self, method: str, path: str, body: Any, status: int = 200) -> None:
        self.answers.setdefault((method, path), []).append((status, body))

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        queue = self.answers[request.method, request.url.raw_path.decode()]
        status, body = queue.pop(0) if len(queue) > 1 else queue[0]
        return httpx2.Response(status) if body is None else httpx2.Response(status, json=body)

    @property
    def body(self) -> Any:
        return json.loads(self.asked[-1].content)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None]) -> Pretended:
    pretended = Pretended()
    real = client.Client.__init__

    def init(self: Any, url: str, key: str, **_: Any) -> None:
        real(self, url, key, transport=httpx2.MockTransport(pretended))

    monkeypatch.setattr(remote.Door, "__init__", init)
    return pretended


@pytest.fixture
def treadle(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command: its exit code, what it printed, what it complained of."""

    def run(*arguments: str, known: bool = True) -> tuple[int, str, str]:
        if known:
            monkeypatch.setenv("TREADLE_URL", "http://127.0.0.1:1")
            monkeypatch.setenv("TREADLE_KEY", "tr_a_b")
        monkeypatch.setattr(sys, "argv", ["treadle", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run
