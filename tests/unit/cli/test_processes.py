"""The command lines of the processes."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from cli import processes, serve


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What this process would have become."""
    seen: list[Any] = []

    def execve(path: str, argv: list[str], env: dict[str, str]) -> None:
        seen.extend([path, argv, env])
        raise SystemExit

    monkeypatch.setattr(os, "execve", execve)
    return seen


def test_the_api(became: list[Any]) -> None:
    with pytest.raises(SystemExit):
        serve.api("0.0.0.0", 9000)
    assert became[1][:8] == [sys.executable, "-m", "uvicorn", "api.app:app", "--host", "0.0.0.0", "--port", "9000"]


def test_a_thread_worker_serves_all_queues(became: list[Any]) -> None:
    with pytest.raises(SystemExit):
        serve.worker(serve.Pool.THREADS, None, None, None)
    argv = became[1]
    assert became[2]["TREADLE_WORKER_POOL"] == "threads"
    assert "--queues" not in argv
    assert "--concurrency" not in argv
    assert "PROMETHEUS_MULTIPROC_DIR" not in became[2]


def test_a_prefork_worker_gets_an_empty_folder_for_its_figures(became: list[Any]) -> None:
    with pytest.raises(SystemExit):
        serve.worker(serve.Pool.PREFORK, 3, None, "heavy")
    argv, folder = became[1], Path(became[2]["PROMETHEUS_MULTIPROC_DIR"])
    assert argv[argv.index("--queues") + 1] == "cpu"
    assert argv[argv.index("--concurrency") + 1] == "3"
    assert argv[argv.index("--name") + 1] == "heavy"
    assert list(folder.iterdir()) == []
    folder.rmdir()


def test_a_worker_is_the_scheduler_as_well_if_it_has_threads(became: list[Any]) -> None:
    with pytest.raises(SystemExit):
        serve.worker(serve.Pool.THREADS, None, None, None, scheduler=True)
    assert "--beat" in became[1]
    became.clear()
    with pytest.raises(typer.BadParameter, match="processes"):
        serve.worker(serve.Pool.PREFORK, None, None, None, scheduler=True)
    assert became == []


def test_flowers_password_is_no_argument() -> None:
    command = processes.flower(5555, "treadle", "hush")
    assert "hush" not in " ".join(command.argv)
    assert command.environment()["FLOWER_BASIC_AUTH"] == "treadle:hush"


@pytest.mark.parametrize(("said", "on"), [(None, True), ("1", True), ("True", True), ("0", False), ("off", False)])
def test_whether_a_setting_is_on(monkeypatch: pytest.MonkeyPatch, said: str | None, on: bool) -> None:
    monkeypatch.delenv("TREADLE_X", raising=False)
    if said is not None:
        monkeypatch.setenv("TREADLE_X", said)
    assert processes.is_on("TREADLE_X") is on
    assert processes.is_set("TREADLE_X") is (said is not None)
