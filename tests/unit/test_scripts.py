"""Scripts in the broker's Redis, when it is away."""

import time
from collections.abc import Callable

import pytest

from runtime import scripts
from runtime.broker import app
from tests.servers import free_port


def test_a_redis_that_is_away_holds_nobody_up(configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    configure(broker_url=url)
    connect = app.connection
    monkeypatch.setattr(app, "connection", lambda **options: connect(url, **options))
    started = time.monotonic()
    with pytest.raises(scripts.Away):
        scripts.Redis().run("return {}", "key")
    assert time.monotonic() - started < 1.5  # kombu alone would try for six seconds
