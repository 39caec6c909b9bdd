"""No queue at all: the same jobs in the threads of two processes. What waiting and threads themselves leave possible."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from bench import work
from bench.sides import Side
from bench.work import PROCESSES, Kind
from tests.laboratory import ROOT, Part


class Bare(Side):
    """It has no door, and stores nothing."""

    name = "no queue"
    does = frozenset({"io"})

    def wipe(self) -> None:
        self.marks.write_bytes(b"")

    def send(self, kind: Kind, count: int) -> float:
        self._count = count
        return 0.0

    def workers(self, kind: Kind, slots: int) -> list[Part]:
        command = ["bench.bare", str(slots), str(self._count // PROCESSES), str(self.marks)]
        return [Part(f"bare{number}", command, {"PYTHONPATH": str(ROOT)}) for number in range(PROCESSES)]

    def check(self, count: int) -> None:
        """All have begun: there is no more to it."""


def main(slots: int, count: int, marks: str) -> None:
    """Do so many jobs, so many at once."""
    with ThreadPoolExecutor(slots) as pool:
        for _ in range(count):
            pool.submit(work.io, 0.0, marks)
    time.sleep(60)  # its CPU is read while it lives


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
