"""`treadle up` as a newcomer runs it: real processes, real signals."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from os import environ
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.servers import free_port, wait_until

ROOT = Path(__file__).parents[2]
START = 90.0


class Up:
    """One `treadle up`, and what it printed."""

    def __init__(self, home: Path, *options: str) -> None:
        self.home = home
        self.output = home.parent / f"{home.name}.out"
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli", "up", "--home", str(home), *_ports(options)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={name: value for name, value in environ.items() if not name.startswith("TREADLE_")},
            )
        self.family: set[psutil.Process] = set()

    @property
    def printed(self) -> str:
        return self.output.read_text()

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "up.json").read_text())
        return found

    def ready(self) -> "Up":
        """Wait until it has printed its last line."""
        wait_until(lambda: "\nUp after" in self.printed or self.process.poll() is not None, START, "treadle up is up")
        assert self.process.poll() is None, self.printed
        self.look()
        return self

    def look(self) -> None:
        """Remember every process that it started."""
        self.family |= set(psutil.Process(self.process.pid).children(recursive=True))

    def ask(self, path: str, **request: Any) -> Any:
        state = self.state
        headers = {"Authorization": f"Bearer {state['key']}"}
        answer = httpx2.request("POST" if request else "GET", state["api"] + path, headers=headers, **request)
        assert answer.is_success, answer.text
        return answer.json()

    def end(self, signum: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(signum)
        return self.process.wait(60)

    def leaves(self) -> list[psutil.Process]:
        """Which of its processes still run."""
        return [process for process in self.family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def _ports(options: tuple[str, ...]) -> list[str]:
    given = list(options)
    for name in ("--port", "--flower-port"):
        given += [] if name in given else [name, str(free_port())]
    return given


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(*options: str, home: str = "home") -> Up:
        started.append(Up(tmp_path / home, *options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.look()
            one.process.kill()
            one.process.wait()
        for process in one.leaves():
            process.kill()


def test_exit_runs_a_first_job_and_the_next_start_finds_it(up: Callable[..., Up]) -> None:
    first = up("--exit")
    assert first.process.wait(START) == 0, first.printed
    assert "503 Service Unavailable, so again after 1.0 s" in first.printed
    assert re.search(r"attempt 2 +200 OK", first.printed)
    assert not (first.home / "up.json").exists()
    kept = first.home / "keep.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    second = up("--workers", "2", "--cpu-workers", "1", "--threads", "2").ready()
    state = second.state
    assert stat.S_IMODE((second.home / "up.json").stat().st_mode) == 0o600
    assert state["key"] == json.loads(kept.read_text())["key"]
    assert set(state["pids"]) == {"api", "worker", "scheduler", "flower", "broker"}
    assert len(state["pids"]["worker"]) == 3
    jobs = second.ask("/v1/jobs")["jobs"]
    assert [job["state"] for job in jobs] == ["succeeded", "succeeded"]
    for scrape in state["metrics"]:
        assert "treadle_" in httpx2.get(scrape).text
    assert httpx2.get(state["flower"]).status_code == 401
    assert httpx2.get(state["flower"], auth=tuple(state["flower_auth"].split(":"))).status_code == 200
    assert _secrets_in_process_list(second, state) == []
    _pasted_lines_work(second)
    second.look()
    assert second.end(signal.SIGTERM) == 0
    assert second.leaves() == []
    assert not (second.home / "up.json").exists()


def _secrets_in_process_list(up: Up, state: dict[str, Any]) -> list[str]:
    kept = json.loads((up.home / "keep.json").read_text())
    secrets = [state["key"], kept["broker_password"], kept["flower_password"]]
    shown = " ".join(" ".join(process.cmdline()) for process in up.family if process.is_running())
    return [secret for secret in secrets if secret in shown]


def _pasted_lines_work(up: Up) -> None:
    lines = re.findall(r"^  (curl .*)$", up.printed, re.MULTILINE)
    assert len(lines) == 4
    for line in lines:
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=20)
        answer = json.loads(done.stdout)
        assert "status" not in answer, answer  # a problem has one
    pasted = json.loads(subprocess.run(["sh", "-c", lines[0]], capture_output=True, check=True, timeout=20).stdout)
    wait_until(lambda: up.ask(f"/v1/jobs/{pasted['id']}")["state"] == "succeeded", 20, "the pasted job succeeded")


def test_a_small_one_has_no_process_for_the_scheduler_and_its_first_job_is_done_in_its_second_attempt(
    up: Callable[..., Up],
) -> None:
    small = up("--small", "--flower-port", "0").ready()
    pids = small.state["pids"]
    assert pids["worker"] == [pids["scheduler"]]
    assert {process.pid for process in small.family} == {pids["api"], pids["scheduler"], pids["broker"]}
    assert [job["state"] for job in small.ask("/v1/jobs")["jobs"]] == ["succeeded"]
    assert small.end() == 0


def test_one_supervisor_a_home_starts_again_what_dies_and_none_is_left_behind_by_its_kill_9(up: Callable[..., Up]) -> None:
    one = up("--flower-port", "0").ready()
    _a_second_is_refused(one, up)
    before = one.state["pids"]
    for pid in (before["worker"][0], before["api"], before["scheduler"], before["broker"]):
        os.kill(pid, signal.SIGKILL)

    def all_new() -> bool:
        now = one.state["pids"]
        return None not in {now[name] for name in ("api", "scheduler", "broker")} and all(
            now[name] != before[name] for name in ("api", "worker", "scheduler", "broker")
        )

    wait_until(all_new, 30, "all four run again")
    one.look()
    assert one.printed.count("was ended by SIGKILL, starts again in") == 4
    wait_until(lambda: _answers(f"{one.state['api']}/livez"), 30, "the API answers again")
    job = one.ask(
        "/v1/jobs", json={"task": "http.request", "payload": {"method": "GET", "url": one.state["hook"]}, "tags": ["after"]}
    )
    wait_until(lambda: one.ask(f"/v1/jobs/{job['id']}")["state"] == "succeeded", 60, "the job ran")
    one.process.kill()
    one.process.wait()
    wait_until(lambda: not one.leaves(), 40, "its processes have followed it")


def _a_second_is_refused(one: Up, up: Callable[..., Up]) -> None:
    other = up("--flower-port", "0")
    assert other.process.wait(START) == 1
    assert f"already up on {one.home} (process {one.process.pid})" in other.printed
    assert "Traceback" not in other.printed


def test_a_named_port_that_is_taken_is_an_error(up: Callable[..., Up]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        one = up("--flower-port", "0", "--port", str(holder.getsockname()[1]))
        assert one.process.wait(START) == 1
    assert re.search(r"Port \d+ is taken\. Give another with --port", one.printed)


def test_ctrl_c_while_it_starts_leaves_nothing(up: Callable[..., Up]) -> None:
    one = up("--flower-port", "0")
    wait_until(lambda: "broker" in one.printed, START, "the broker is up")
    one.look()
    assert one.family
    assert one.end() == 130
    assert one.leaves() == []


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=2).is_success
    except httpx2.TransportError:
        return False


def test_in_the_sandbox_a_newcomer_mails_is_paid_and_finds_an_address_without_any_account(up: Callable[..., Up]) -> None:
    one = up("--flower-port", "0", "--sandbox").ready()
    lines = re.findall(r"^  (curl .*)$", one.printed, re.MULTILINE)[-3:]
    done = [json.loads(subprocess.run(["sh", "-c", line], capture_output=True, check=True).stdout) for line in lines]
    mailed, paid, found = (_result(one, job["id"]) for job in done)
    assert mailed["account"] == "smtp"
    assert paid["status"] == "succeeded"
    assert found["places"][0]["latitude"] == pytest.approx(51.34, abs=0.01)
    sandbox = one.state["sandbox"]
    caught = httpx2.get(f"{sandbox}/caught").json()
    assert [mail["headers"]["Subject"] for mail in caught["mails"]] == ["Hello"]
    assert {call["provider"] for call in caught["calls"]} == {paid["account"], found["account"]}
    assert "ada@example.com" in httpx2.get(sandbox).text
    assert stat.S_IMODE((one.home / "sandbox.json").stat().st_mode) == 0o600
    one.look()
    assert one.end() == 0
    assert one.leaves() == []


def _result(up: Up, job: str) -> dict[str, Any]:
    wait_until(lambda: up.ask(f"/v1/jobs/{job}")["state"] == "succeeded", 30, "the job succeeded")
    result: dict[str, Any] = up.ask(f"/v1/jobs/{job}")["result"]
    return result
