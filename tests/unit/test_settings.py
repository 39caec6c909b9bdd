"""Settings, read once from the environment."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from runtime.settings import Settings, settings

Configure = Callable[..., None]


def test_the_defaults_hold_together(configure: Configure, tmp_path: Path) -> None:
    known = settings()
    assert known.ledger_url == f"sqlite:///{tmp_path / 'treadle.db'}"
    assert known.queues == ("default", "cpu")
    assert known.heartbeat * 3 <= known.lease
    assert settings() is known


def test_values_as_people_write_them(configure: Configure) -> None:
    configure(queues=" default, mail ,,cpu", lease="1m", heartbeat="5s", hint_window=7, retention_succeeded="P1D")
    known = settings()
    assert known.queues == ("default", "mail", "cpu")
    assert (known.lease, known.hint_window) == (timedelta(minutes=1), 7)
    assert known.retention_succeeded == timedelta(days=1)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_any_address_of_postgresql_means_psycopg(configure: Configure, scheme: str) -> None:
    configure(database_url=f"{scheme}://u:p@db:5432/treadle?sslmode=require")
    assert settings().ledger_url == "postgresql+psycopg://u:p@db:5432/treadle?sslmode=require"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"queues": "cpu"}, "default"),
        ({"queues": ""}, "default"),
        ({"lease": "5s", "heartbeat": "2s"}, "three heartbeats"),
        ({"lease": "soon"}, "lease"),
        ({"hint_window": 0}, "hint_window"),
        ({"broker_url": "sqs://"}, "rediss://"),
        ({"payload_limit": 10}, "payload_limit"),
        ({"poison_crashes": 1}, "poison_crashes"),
        ({"worker_threads": 0}, "worker_threads"),
        ({"metrics_port": 70000}, "metrics_port"),
        ({"log_level": "LOUD"}, "log_level"),
    ],
)
def test_what_cannot_be_is_refused_by_name(configure: Configure, values: dict[str, object], word: str) -> None:
    configure(**values)
    with pytest.raises(ValidationError, match=word):
        settings()


def test_a_secret_file_is_read(configure: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "TREADLE_DATABASE_URL").write_text("postgresql://db/treadle\n")
    (tmp_path / "treadle_metrics_token").write_text("s3cret")
    configure(secrets_dir=tmp_path)
    assert settings().ledger_url == "postgresql+psycopg://db/treadle"
    token = settings().metrics_token
    assert token is not None
    assert token.get_secret_value() == "s3cret"


def test_secrets_are_not_printed() -> None:
    shown = repr(
        Settings(
            database_url="postgresql://u:hunter2@db/x",
            broker_url="redis://:hunter2@r/0",
            webhook_secret="whsec_hunter2",
            smtp_url="smtp://u:hunter2@m",
            metrics_token="hunter2",
        )
    )
    assert "hunter2" not in shown


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        settings().hint_window = 3  # type: ignore[misc]
