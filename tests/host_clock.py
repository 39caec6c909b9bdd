"""The wall clock of real processes, to be set forth and back while they run. See host_clock.c."""

import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


class HostClock:
    """The clock of all processes that have `environment`. At first it is right."""

    def __init__(self, library: Path, file: Path) -> None:
        self._file = file
        self._offset = timedelta()
        self._file.write_bytes(struct.pack("d", 0))
        self.environment = {"LD_PRELOAD": str(library), "HOST_CLOCK": str(file)}

    def now(self) -> datetime:
        """The instant it shows."""
        return datetime.fromtimestamp(time.time(), UTC) + self._offset

    def step(self, span: timedelta) -> None:
        """Set it forth, or back."""
        self._offset += span
        with self._file.open("r+b") as file:  # in place: the processes have it mapped
            file.write(struct.pack("d", self._offset.total_seconds()))

    def set(self, instant: datetime) -> None:
        """Set it to an instant."""
        self.step(instant - self.now())
