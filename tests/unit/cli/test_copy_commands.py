"""`treadle backup` and `treadle restore` say in words what cannot be."""

from collections.abc import Callable

import pytest

from cli.app import main


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_postgresql_is_left_to_its_own_means(
    command: str, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(database_url="postgresql://db.internal/treadle")
    monkeypatch.setattr("sys.argv", ["treadle", command, "copy.db"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    assert "pg_dump" in capsys.readouterr().err


def test_a_ledger_that_is_not_there_cannot_be_copied(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["treadle", "backup", "copy.db"])
    with pytest.raises(SystemExit):
        main()
    assert "cannot be copied" in capsys.readouterr().err
