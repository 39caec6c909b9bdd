"""The folder where everything of one `treadle up` lies."""

import fcntl
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any, TextIO

from cli.complaint import Complaint


class Home:
    """The folder, held by one supervisor at a time.

    `keep.json` holds what the next start needs again (passwords, the key, ports), `up.json` what runs now.
    Both are readable by their owner only.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.shown = folder  # as the user wrote it
        self._lock: TextIO | None = None

    def hold(self) -> None:
        """Take the folder for this process.

        Raises:
            Complaint: another supervisor has it, or it cannot be written.
        """
        try:
            for folder in (self.folder, self.folder / "logs", self.folder / "valkey"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = (self.folder / "lock").open("a+")
        except OSError as error:
            raise Complaint(f"{self.shown} cannot be used as home: {error}.") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            pid = self._lock.read().strip()
            self._lock.close()
            self._lock = None
            raise Complaint(
                f"Treadle is already up on {self.shown} (process {pid}). Stop that one, or give this one another --home."
            ) from None
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()
        self.down()  # what a killed supervisor left

    def release(self) -> None:
        """Let another have the folder."""
        if self._lock:
            self.down()
            self._lock.close()
            self._lock = None

    def log(self, name: str) -> Path:
        """Where a process writes."""
        return self.folder / "logs" / f"{name}.log"

    def fresh(self, name: str) -> Path:
        """An empty folder, whatever it held before."""
        path = self.folder / "run" / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def recall(self) -> dict[str, Any]:
        """What the last start kept; passwords are made the first time."""
        try:
            kept = json.loads((self.folder / "keep.json").read_text())
        except FileNotFoundError:
            kept = {}
        except ValueError:
            kept = {}  # the jobs do not depend on it: new passwords and a new key do as well
        fresh = {"broker_password": secrets.token_urlsafe(24), "flower_password": secrets.token_urlsafe(9), "ports": {}}
        return {**fresh, **kept}

    def keep(self, kept: dict[str, Any]) -> None:
        """Remember for the next start."""
        self.write("keep.json", json.dumps(kept, indent=2))

    def up(self, running: dict[str, Any]) -> None:
        """Tell the world what runs: `up.json`."""
        self.write("up.json", json.dumps(running, indent=2))

    def down(self) -> None:
        """Nothing runs."""
        (self.folder / "up.json").unlink(missing_ok=True)

    def write(self, name: str, text: str) -> Path:
        """Write a file for its owner's eyes, whole or not at all."""
        path = self.folder / name
        draft = path.with_name(f".{path.name}.draft")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
        draft.replace(path)
        return path
