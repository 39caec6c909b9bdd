"""What processes do to a folder, recorded."""

import copy
from pathlib import Path

from tests.power.disk import Disk

SOURCE = Path(__file__).with_name("recorder.c")


class Recording:
    """All that processes with `environment` do to the files below a folder, from how these are now, at rest."""

    def __init__(self, library: Path, folder: Path, record: Path) -> None:
        self.record = record
        record.touch()
        record.chmod(0o666)  # PostgreSQL may run as another user
        folder = folder.resolve()
        self.environment = {"LD_PRELOAD": str(library), "POWER_FOLDER": str(folder), "POWER_RECORD": str(record)}
        self._at_rest = Disk(folder, record)

    def again(self) -> Disk:
        """The disk as it was at the beginning, to go through the record once more."""
        return copy.deepcopy(self._at_rest)

    @property
    def place(self) -> int:
        """How far it has come."""
        return self.record.stat().st_size
