"""A ledger of each kind on a disk that is recorded, so that it can be brought back as a power cut leaves it."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

import psutil
import psycopg

from tests.laboratory import Lab
from tests.power.disk import Disk, Entry
from tests.power.recording import Recording
from tests.servers import Postgres, Server, wait_until


class OnSqlite:
    """SQLite: the parts write the files themselves, so they are recorded."""

    MANY, FEW = 200, 40  # cuts to look at in the long and in the short form

    def __init__(self, folder: Path, library: Path) -> None:
        self.folder, self._library = folder / "disk", library
        self.folder.mkdir()
        self.url = f"sqlite:///{self.folder / 'treadle.db'}"

    def begin(self, lab: Lab) -> Recording:
        """Record from here, where nothing runs yet."""
        lab.engine.dispose()  # the last to close writes the log back: the files are at rest
        self.recording = Recording(self._library, self.folder, self.folder.parent / "record")
        lab.environment.update(self.recording.environment)
        return self.recording

    def servers(self) -> list[Server]:
        """What else dies in a power cut."""
        return []

    def start(self) -> None:
        """Let the database itself run."""

    def checkpoint(self) -> None:
        """Wait for the scheduler's next."""
        tables = self.folder / "treadle.db"
        before = tables.stat().st_mtime_ns
        wait_until(lambda: tables.stat().st_mtime_ns != before, 30, "the tables to be written to")

    def is_checkpoint(self, disk: Disk, entry: Entry) -> bool:
        """Whether this write is to the tables themselves, which happens in a checkpoint only."""
        return entry.kind == "w" and disk.name_of(entry.inode) == "treadle.db"

    def jobs_after(self, disk: Disk, luck: random.Random | None) -> set[UUID]:
        """The jobs that are there after a cut, in a database that is sound."""
        files = self.folder.parent / "after"
        shutil.rmtree(files, ignore_errors=True)
        disk.write_after_cut(files, luck)
        connection = sqlite3.connect(files / "treadle.db")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = {UUID(job_id) for (job_id,) in connection.execute("SELECT id FROM jobs")}
        connection.close()
        return found

    def bring_back(self, disk: Disk, luck: random.Random | None) -> None:
        """The disk as the cut left it."""
        shutil.rmtree(self.folder)
        disk.write_after_cut(self.folder, luck)

    def close(self) -> None:
        """Nothing runs here."""


class RecordedPostgres(Postgres):
    """A PostgreSQL that syncs as it should, and is recorded from `begin` on."""

    recording: Recording | None = None

    def _environment(self) -> dict[str, str] | None:
        return {**os.environ, **self.recording.environment} if self.recording else None


class OnPostgres:
    """PostgreSQL: the server writes the files, so it is recorded."""

    MANY, FEW = 12, 2

    def __init__(self, folder: Path, library: Path) -> None:
        self.server, self._library = RecordedPostgres(durable=True), library
        self.server.folder.chmod(0o755)
        self.url = self.server.create_database()
        self._place = self.server.folder / "record"

    def begin(self, lab: Lab) -> Recording:
        """Record from here, where nothing runs yet."""
        lab.engine.dispose()
        self.server.stop()
        library = Path(shutil.copy(self._library, self.server.folder))  # where the server's account can read it
        self.recording = self.server.recording = Recording(library, self.server.data, self._place)
        self.server.start()
        return self.recording

    def servers(self) -> list[Server]:
        """What else dies in a power cut."""
        return [self.server]

    def start(self) -> None:
        """Let the database itself run."""
        self.server.start()

    def checkpoint(self) -> None:
        """It would make one every five minutes."""
        self.server.command("CHECKPOINT")

    def is_checkpoint(self, disk: Disk, entry: Entry) -> bool:
        """Whether this is a write to the tables themselves."""
        return entry.kind == "w" and disk.name_of(entry.inode).isdigit()

    def jobs_after(self, disk: Disk, luck: random.Random | None) -> set[UUID]:
        """The jobs that are there after a cut, in a database that is sound."""
        self.bring_back(disk, luck)
        self.server.recording = None
        self.server.start()
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            found = {job_id for (job_id,) in connection.execute("SELECT id FROM jobs")}
        self._check_sound()
        self.server.kill()
        return found

    def _check_sound(self) -> None:
        address = ["--host=127.0.0.1", f"--port={self.server.port}", "--username=postgres"]
        command = [str(self.server.binaries / "pg_amcheck"), *address, "--install-missing", "--heapallindexed"]
        checked = subprocess.run([*command, self.url.rpartition("/")[2]], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr

    def bring_back(self, disk: Disk, luck: random.Random | None) -> None:
        """The disk as the cut left it."""
        owner = self.server.data.stat()
        shutil.rmtree(self.server.data)
        disk.write_after_cut(self.server.data, luck)
        for path in (self.server.data, *self.server.data.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
            path.chmod(0o700 if path.is_dir() else 0o600)

    def close(self) -> None:
        """End the server."""
        self.server.remove()


def cut_power(parts: Iterable[Server]) -> None:
    """Kill every process of every part at one moment, as far as one can."""
    parts = [part for part in parts if part.runs]
    family = [process for part in parts for process in part._family()]
    for process in family:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=10)
    for part in parts:
        part.kill()
