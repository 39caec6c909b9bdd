"""Back to an earlier point: copied while everything ran, brought back when the world is ahead of it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobs.model import Job
from jobs.states import FINAL, State
from tests.chaos.conftest import Record
from tests.laboratory import Lab
from tests.servers import Postgres, wait_until


def treadle(lab: Lab, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments], env=lab.environment, capture_output=True, text=True, check=False
    )


class Copied:
    """SQLite, by our own commands."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'treadle.db'}"
        self._copy = folder / "copy.db"

    def prepare(self) -> None:
        """Nothing to do."""

    def remember(self, lab: Lab) -> None:
        """The point to come back to is now."""
        done = treadle(lab, "backup", str(self._copy))
        assert done.returncode == 0, done.stderr

    def bring_back(self, lab: Lab) -> None:
        """Back to that point."""
        done = treadle(lab, "restore", str(self._copy))
        assert done.returncode == 0, done.stderr

    def close(self) -> None:
        """Nothing runs here."""


class Dumped:
    """PostgreSQL, by pg_dump and pg_restore."""

    def __init__(self, folder: Path) -> None:
        self.server = self._make_server()
        self.url = self.server.create_database()
        self._name = self.url.rpartition("/")[2]
        self._dump = folder / "dump"

    def _make_server(self) -> Postgres:
        return Postgres()

    def run(self, program: str, *arguments: str) -> None:
        address = ["--host=127.0.0.1", f"--port={self.server.port}", "--username=postgres"]
        command = [str(self.server.binaries / program), *address, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def prepare(self) -> None:
        """Nothing to do."""

    def remember(self, _: Lab) -> None:
        """The point to come back to is now."""
        self.run("pg_dump", "--format=custom", f"--file={self._dump}", self._name)

    def bring_back(self, _: Lab) -> None:
        """Back to that point."""
        self.server.drop_database(self.url)
        self.server.command(f"CREATE DATABASE {self._name}")
        self.run("pg_restore", f"--dbname={self._name}", str(self._dump))

    def close(self) -> None:
        """End the server."""
        self.server.remove()


class ArchivingPostgres(Postgres):
    """Copies each piece of its log to a folder once it is full."""

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    def _make_data(self) -> None:
        super()._make_data()
        shutil.copytree(
            self.data, self.archive, ignore=lambda *_: os.listdir(self.data)
        )  # an empty folder of the same owner
        shutil.chown(self.archive, self.data.stat().st_uid, self.data.stat().st_gid)

    def _command(self) -> list[str]:
        command = f"cp %p {self.archive}/%f.part && mv {self.archive}/%f.part {self.archive}/%f"  # whole, or not there
        return [*super()._command(), "-c", "archive_mode=on", "-c", f"archive_command={command}"]


class PointInTime(Dumped):
    """PostgreSQL, by a base copy and its archived log: any moment."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._base = folder / "base"
        self._moment = ""

    def _make_server(self) -> Postgres:
        return ArchivingPostgres(durable=True)

    def prepare(self) -> None:
        """A base copy, some time before."""
        self.run("pg_basebackup", f"--pgdata={self._base}", "--checkpoint=fast")

    def remember(self, _: Lab) -> None:
        """The point to come back to is now."""
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            self._moment = str(connection.execute("SELECT clock_timestamp()").fetchone()[0])  # type: ignore[index]

    def bring_back(self, _: Lab) -> None:
        """Back to that point: the last piece of the log is archived, then the server and its data are gone."""
        assert isinstance(self.server, ArchivingPostgres)
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            (piece,) = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()  # type: ignore[misc]
        wait_until((self.server.archive / piece).exists, 20, "the log to be archived")
        self.server.kill()
        owner = self.server.data.stat()
        shutil.rmtree(self.server.data)
        shutil.copytree(self._base, self.server.data)
        with (self.server.data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"restore_command = 'cp {self.server.archive}/%f %p'\n")
            settings.write(f"recovery_target_time = '{self._moment}'\nrecovery_target_action = 'promote'\n")
        (self.server.data / "recovery.signal").touch()
        for path in (self.server.data, *self.server.data.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        self.server.start()
        self._wait_writable()

    def _wait_writable(self) -> None:
        def is_writable() -> bool:
            with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
                return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)

        wait_until(is_writable, 20, "the server to take writes again")


Ledger = Copied | Dumped


KINDS: dict[str, type[Ledger]] = {"sqlite": Copied, "postgresql": Dumped, "postgresql, point in time": PointInTime}


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.endurance), "postgresql, point in time"],
)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger, and a way back to an earlier point of it."""
    made = KINDS[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture
def ledger_url(ledger: Ledger) -> str:
    return ledger.url


def call(lab: Lab, name: str, path: str = "/effect?ms=5") -> UUID:
    target = {"method": "POST", "url": f"{lab.third_party.url}{path}", "json": {"order": name}}
    return lab.submit("http.request", target)


def still_open(lab: Lab) -> set[UUID]:
    with Session(lab.engine) as session:
        return set(session.scalars(sa.select(Job.id).where(Job.state.not_in(FINAL))))


def test_after_a_restore_what_was_accepted_before_it_runs_and_nothing_has_two_effects(
    laboratory: Callable[..., Lab], ledger: Ledger, record: Record
) -> None:
    lab = laboratory(door_patience="5s").start()
    ledger.prepare()
    target = {"method": "POST", "url": f"{lab.third_party.url}/effect", "json": {"order": "{{tick_at}}"}}
    made = lab.client.post("/v1/schedules", json={"name": "s", "task": "http.request", "payload": target, "every": "1s"})
    assert made.status_code == 201, made.text
    kept = [call(lab, f"kept {n}") for n in range(40)]
    delayed = lab.submit("http.request", target | {"json": {"order": "delayed"}}, delay="8s")
    slow = call(lab, "slow", "/effect?ms=5000")
    lab.wait_for(slow, State.RUNNING)
    wait_until(lambda: len(lab.ticks()) >= 3, 20, "due times to be made")

    ledger.remember(lab)

    late = [call(lab, f"late {n}") for n in range(40)]  # after the point: done, and then unknown
    for job_id in (*kept, delayed, slow, *late):
        lab.wait_for(job_id, State.SUCCEEDED)
    lab.workers[0].kill()
    hinted = [call(lab, f"hinted {n}") for n in range(5)]  # only their hints are left
    for part in (lab.api, *lab.schedulers):
        part.kill()
    before = dict(lab.ticks())
    lab.engine.dispose()

    ledger.bring_back(lab)

    undone = still_open(lab)
    assert undone, "the copy took so long that all was done"
    started = time.monotonic()
    lab.accepted -= {*late, *hinted}
    for part in lab.parts:
        part.start()
    wait_until(lambda: before.keys() <= dict(lab.ticks()).keys(), 40, "due times after the point to be made again")
    assert lab.client.patch("/v1/schedules/s", json={"paused": True}).status_code == 200
    assert set(lab.wait_settled(40)) == {State.SUCCEEDED}
    recovered = time.monotonic() - started
    again = dict(lab.ticks())
    assert {at: again[at] for at in before} == before, "a due time was made into another job than before"
    assert {(later - earlier).total_seconds() for earlier, later in pairwise(sorted(again))} == {1.0}, "one was missed"
    assert {str(job_id) for job_id in hinted}.isdisjoint(lab.third_party.calls), "a hint without a row had an effect"
    assert all(lab.client.get(f"/v1/jobs/{job_id}").status_code == 404 for job_id in (late[0], hinted[0]))
    assert all(len(lab.third_party.calls[str(job_id)]) >= 2 for job_id in undone), "done after the point: done again"
    record(
        8,
        "the ledger lost, and back as it was some seconds before",
        "–",
        f"{len(again)} due times and {len(kept) + 2} jobs, one effect each",
        recovered,
    )


@pytest.mark.parametrize("ledger", ["sqlite"], indirect=True)
def test_a_ledger_that_is_in_use_is_not_replaced(laboratory: Callable[..., Lab], ledger: Ledger, tmp_path: Path) -> None:
    lab = laboratory()
    ledger.remember(lab)
    lab.api.start()
    refused = treadle(lab, "restore", str(tmp_path / "copy.db"))
    assert (refused.returncode, "is in use" in refused.stderr) == (1, True), refused.stderr
    lab.submit()
    lab.api.stop()
    lab.engine.dispose()
    lab.accepted.clear()
    assert treadle(lab, "restore", str(tmp_path / "copy.db"), "--paused").returncode == 0
    lab.api.start()
    assert {lane["paused"] for lane in lab.client.get("/v1/queues").json()["queues"]} == {True}
    assert not lab.states()
