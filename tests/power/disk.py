"""What a disk holds after a power cut, from a record of what was done to its files.

The rules are POSIX's, taken strictly. What was written is kept for sure once its file was synced; a name is made, changed or
dropped for sure once its folder was synced. Everything else may be there or not, each sector for itself, and names in order.
"""

import mmap
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_HEAD = struct.Struct("<QQqIIII")
_MARK = 0x6C6C6177746E6977
SECTOR = 512


class Entry(NamedTuple):
    """One deed: `place` is where its entry ends in the record."""

    kind: str
    inode: int
    offset: int
    names: tuple[str, ...]
    data: bytes
    place: int


def read(record: Path, start: int = 0, end: int | None = None) -> Iterator[Entry]:
    """The entries between two places of a record. A killed process may leave a torn one: it is passed over."""
    size = record.stat().st_size if end is None else end
    if start >= size:
        return
    with record.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as room:
        while start + _HEAD.size <= size:
            mark, inode, offset, kind, names, length, _ = _HEAD.unpack_from(room, start)
            body = start + _HEAD.size
            after = body + names + length
            if mark == _MARK and (after == size or (after < size and _marked(room, after, size))):
                paths = room[body : body + names].decode().split("\n")
                yield Entry(chr(kind), inode, offset, tuple(paths), room[body + names : after], after)
                start = after
            else:
                start = room.find(_MARK.to_bytes(8, "little"), start + 1, size)
                if start < 0:
                    return


def _marked(room: mmap.mmap, place: int, size: int) -> bool:
    return room[place : min(place + 8, size)] == _MARK.to_bytes(8, "little")[: size - place]


@dataclass(eq=False)
class File:
    """A file's synced content, and what was done since."""

    kept: bytearray = field(default_factory=bytearray)
    since: list[Entry] = field(default_factory=list)

    def sync(self) -> None:
        """All that was done is kept."""
        for entry in self.since:
            _apply(self.kept, entry.kind, entry.offset, entry.data)
        self.since.clear()

    def after_cut(self, luck: random.Random | None) -> bytes:
        """What is left: with luck, some of what was not synced too."""
        if luck is None or not self.since:
            return bytes(self.kept)
        left = bytearray(self.kept)
        for entry in self.since:
            if entry.kind != "w":
                if luck.random() < 0.5:
                    _apply(left, entry.kind, entry.offset, b"")
                continue
            start = 0
            while start < len(entry.data):
                stop = start + SECTOR - (entry.offset + start) % SECTOR
                if luck.random() < 0.5:
                    _apply(left, "w", entry.offset + start, entry.data[start:stop])
                start = stop
        return bytes(left)


def _apply(content: bytearray, kind: str, offset: int, data: bytes) -> None:
    size = offset + len(data)
    if kind == "t":
        del content[offset:]
    if len(content) < size:
        content.extend(bytes(size - len(content)))
    if kind == "w":
        content[offset:size] = data


class Change(NamedTuple):
    """A change of names that was not yet synced; of which file, if it was made."""

    kind: str
    names: tuple[str, ...]
    made: File | None

    def do(self, names: dict[str, File | None]) -> None:
        """Change them."""
        first, *second = self.names
        match self.kind:
            case "c" | "m":
                names[first] = self.made
            case "u" | "d":
                names.pop(first, None)
            case "l" if first in names:
                names[second[0]] = names[first]
            case "r" if first in names:
                for name in [name for name in names if name == first or name.startswith(f"{first}/")]:
                    names[second[0] + name.removeprefix(first)] = names.pop(name)


class Disk:
    """The files below a folder: as they were at rest, and then as the record goes on."""

    def __init__(self, folder: Path, record: Path) -> None:
        self.folder, self.record, self.place = folder, record, 0
        self._inodes: dict[int, File] = {}
        self._names: dict[str, File | None] = {}  # None: a folder
        self._kept: dict[str, File | None] = {}
        self._since: list[Change] = []
        self._folders: dict[int, str] = {folder.stat().st_ino: str(folder)}
        for path in sorted(folder.rglob("*")):
            if path.is_dir():
                self._names[str(path)] = None
                self._folders[path.stat().st_ino] = str(path)
            elif path.is_file():
                file = File(bytearray(path.read_bytes()))
                self._names[str(path)] = self._inodes[path.stat().st_ino] = file
        self._kept.update(self._names)

    def advance(self, end: int | None = None) -> Iterator[Entry]:
        """Go on to a place in the record, or to its end; each entry once it is done."""
        for entry in read(self.record, self.place, end):
            self._do(entry)
            self.place = entry.place
            yield entry

    def go_to(self, place: int | None = None) -> "Disk":
        """The same, at once."""
        for _ in self.advance(place):
            pass
        return self

    def name_of(self, inode: int) -> str:
        """The name of a file that is there."""
        file = self._inodes.get(inode)
        return next((Path(name).name for name, found in self._names.items() if file is not None and found is file), "")

    def write_after_cut(self, target: Path, luck: random.Random | None = None) -> None:
        """Put into `target` what is left if the power goes now: only what is sure, or with luck some more."""
        names = dict(self._kept)
        for change in self._since[: luck.randrange(len(self._since) + 1) if luck else 0]:
            change.do(names)
        for name, file in sorted(names.items()):
            path = target / Path(name).relative_to(self.folder)
            if file is None:
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.after_cut(luck))

    def _do(self, entry: Entry) -> None:
        match entry.kind:
            case "w" | "t" | "a":
                if entry.inode in self._inodes:
                    self._inodes[entry.inode].since.append(entry)
            case "s":
                if entry.inode in self._inodes:
                    self._inodes[entry.inode].sync()
                elif entry.inode in self._folders:
                    self._sync_names(self._folders[entry.inode])
            case "c":
                self._inodes[entry.inode] = File()
                self._change(entry, self._inodes[entry.inode])
            case "o":
                if self._names.get(entry.names[0], File()) is None:
                    self._folders[entry.inode] = entry.names[0]
            case _:
                self._change(entry)

    def _change(self, entry: Entry, made: File | None = None) -> None:
        change = Change(entry.kind, entry.names, made)
        change.do(self._names)
        self._since.append(change)

    def _sync_names(self, folder: str) -> None:
        left = []
        for change in self._since:
            if any(str(Path(name).parent) == folder for name in change.names):
                change.do(self._kept)
            else:
                left.append(change)
        self._since = left
