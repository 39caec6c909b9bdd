"""Compression that many clients share: what all of them are sent is compressed once.

Blocks of deflate (RFC 1951) that refer to nothing before them may stand in any stream. A stream (RFC 1950) is a header, such
blocks, and a checksum of all that they hold, which follows from the checksums of the parts.
"""

import zlib
from collections.abc import AsyncIterator
from functools import cached_property

LEAST = 1024  # bytes that are worth compressing
LEVEL = 1  # events of one kind differ in little but ids and times: more effort gains a tenth

_HEADER = b"\x78\x01"
_END = b"\x03\x00"  # an empty block that says that it is the last
_BASE = 65521  # of Adler's checksum


class Chunk(bytes):
    """Bytes of a stream, as they are and compressed."""

    @cached_property
    def blocks(self) -> bytes:
        """The same as blocks of deflate; they end with a byte, so that all can be read at once."""
        if len(self) < LEAST:
            return b"\x00" + len(self).to_bytes(2, "little") + (len(self) ^ 0xFFFF).to_bytes(2, "little") + self
        packer = zlib.compressobj(LEVEL, wbits=-zlib.MAX_WBITS)
        return packer.compress(self) + packer.flush(zlib.Z_SYNC_FLUSH)

    @cached_property
    def checksum(self) -> int:
        """Adler's."""
        return zlib.adler32(self)


def is_accepted(encodings: str) -> bool:
    """Whether an Accept-Encoding lists it; who gives it a weight has another favourite."""
    return "deflate" in (each.strip().lower() for each in encodings.split(","))


async def deflated(chunks: AsyncIterator[Chunk]) -> AsyncIterator[bytes]:
    """The stream, compressed."""
    begin, checksum = _HEADER, 1
    async for chunk in chunks:
        checksum = _joined(checksum, chunk)
        yield begin + chunk.blocks
        begin = b""
    yield begin + _END + checksum.to_bytes(4, "big")


def _joined(checksum: int, chunk: Chunk) -> int:
    """The checksum of what is before, and the chunk behind it."""
    low, high = checksum & 0xFFFF, checksum >> 16
    its_low, its_high = chunk.checksum & 0xFFFF, chunk.checksum >> 16
    return (low + its_low - 1) % _BASE | (high + its_high + len(chunk) * (low - 1)) % _BASE << 16
