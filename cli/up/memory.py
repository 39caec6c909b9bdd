"""How much memory processes cost, as Linux tells it; nothing where it does not."""

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def cost(pids: Iterable[int | None]) -> int | None:
    """Bytes that the processes and their children hold, pages that several share counted once; None without /proc."""
    if not Path("/proc/self/smaps_rollup").exists():
        return None
    return sum(_share(pid) for pid in _families({pid for pid in pids if pid}))


def _families(pids: set[int]) -> set[int]:
    found, fresh = set(pids), set(pids)
    while fresh:
        fresh = {child for pid in fresh for child in _children(pid)} - found
        found |= fresh
    return found


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _share(pid: int) -> int:
    with suppress(OSError):
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else 0
    return 0
