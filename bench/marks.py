"""Where jobs say that they began: a file in shared memory that every process appends to. The same for both sides."""

import os
import struct
import time
from functools import lru_cache
from pathlib import Path

_MARK = struct.Struct("<dd")


def mark(path: str, at: float) -> None:
    """A job that was sent at `at` begins now. The monotonic clock is one for all processes of a machine."""
    os.write(_open(path), _MARK.pack(at, time.monotonic()))


@lru_cache(maxsize=4)
def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND)


def count(path: Path) -> int:
    """How many jobs have begun."""
    return path.stat().st_size // _MARK.size


def waits(path: Path) -> list[float]:
    """Each job's seconds from being sent to its first line."""
    return [began - sent for sent, began in moments(path)]


def moments(path: Path) -> list[tuple[float, float]]:
    """When each job was sent, and began: in seconds of the monotonic clock."""
    return list(_MARK.iter_unpack(path.read_bytes()))
