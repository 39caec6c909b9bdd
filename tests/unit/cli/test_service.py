"""One supervised process, with real children."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cli.processes import Command
from cli.up import service as services
from cli.up.service import Service
from tests.servers import wait_until

SLEEPER = "import time; print('here', flush=True); time.sleep(60)"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Callable[[str], Service]]:
    made: list[Service] = []

    def make(script: str) -> Service:
        made.append(Service("sleeper", lambda: Command((sys.executable, "-c", script)), tmp_path / "sleeper.log", 5))
        return made[-1]

    yield make
    for one in made:
        one.kill()


def test_a_dead_process_is_told_of_once_and_started_when_due(service: Callable[[str], Service]) -> None:
    one = service("import sys; print('oh no'); sys.exit(3)")
    one.start(100.0)
    news: list[str] = []
    wait_until(lambda: news.append(one.tend(101.0) or "") or news[-1], 10, "its end is noticed")
    assert news[-1] == "sleeper ended with exit code 3, starts again in 0.2 s"
    assert one.pid is None
    assert one.due_at == pytest.approx(101.2)
    assert one.tend(101.1) is None
    assert one.pid is None
    one.tend(101.3)
    assert one.pid is not None
    assert one.last_words() == ["oh no"]


def test_the_second_death_names_the_log(service: Callable[[str], Service]) -> None:
    one = service("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    one.backoff.deaths = 1
    one.start(0.0)
    news: list[str] = []
    wait_until(lambda: news.append(one.tend(1.0) or "") or news[-1], 10, "its end is noticed")
    assert news[-1] == f"sleeper was ended by SIGKILL, starts again in 0.4 s; see {one.log}"


def test_stopping_sweeps_the_children_too(service: Callable[[str], Service]) -> None:
    one = service(f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]); {SLEEPER}")
    one.start(0.0)
    assert one.pid
    wait_until(lambda: one.last_words().count("here") == 2, 10, "parent and child run")
    [child] = psutil.Process(one.pid).children()
    one.ask_to_stop()
    wait_until(one.has_ended, 10, "it has ended")
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 10, "the child is gone")
    assert one.pid is None


def test_a_long_log_is_put_aside(service: Callable[[str], Service], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "LOG_LIMIT", 10)
    one = service(SLEEPER)
    one.log.write_text("x" * 11)
    one.start(0.0)
    assert one.log.with_suffix(".log.1").read_text() == "x" * 11
    wait_until(lambda: one.last_words() == ["here"], 10, "the new log has its first line")


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells")
    log = tmp_path / "sleeper.log"
    script = (
        "import os, sys; from pathlib import Path; from cli.processes import Command; from cli.up.service import Service\n"
        f"one = Service('s', lambda: Command((sys.executable, '-c', {SLEEPER!r})), Path({str(log)!r}), 5); one.start(0)\n"
        "while 'here' not in one.last_words(): pass\n"
        "print(one.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    import subprocess  # noqa: PLC0415

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30)
    pid = int(done.stdout)
    wait_until(lambda: not _lives(pid), 10, "the orphan is gone")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
