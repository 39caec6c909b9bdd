"""A door with settings of its own: a token for its metrics, a small limit for bodies."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.settings import settings
from tests.contract.door import Door, on_sqlite


@pytest.fixture(scope="module")
def guarded(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door whose metrics ask for a token, and that takes small bodies only."""
    folder = tmp_path_factory.mktemp("guarded")
    with on_sqlite(sqlite_template, folder, metrics_token="password", payload_limit="2000") as opened:
        yield opened


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer passwor", "password", "Bearer password x", "Bearer pässword"])
def test_metrics_without_their_token(header: str | None, guarded: Door) -> None:
    guarded.client.headers.pop("authorization", None)
    answer = guarded.ask("GET", "/metrics", headers={} if header is None else {"authorization": header.encode()})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_metrics_do_not_open_to_a_key(guarded: Door) -> None:
    assert guarded.ask("GET", "/metrics", headers=guarded.authority()).status_code == 401


def test_metrics_with_their_token(guarded: Door) -> None:
    answer = guarded.ask("GET", "/metrics", headers={"authorization": "Bearer password"})
    assert answer.status_code == 200
    assert "treadle_http_requests_total{" in answer.text


@pytest.mark.parametrize(("size", "status"), [(2000, 422), (2001, 413)])
@pytest.mark.parametrize("chunked", [False, True])
def test_the_limit_is_the_setting(size: int, status: int, chunked: bool, guarded: Door) -> None:
    assert settings().payload_limit == 2000
    body = b"[" + b" " * (size - 2) + b"]"
    headers = guarded.authority() | {"content-type": "application/json"}
    answer = guarded.ask("POST", "/v1/jobs", content=iter([body]) if chunked else body, headers=headers)
    assert answer.status_code == status
