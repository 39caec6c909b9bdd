"""Compression that many clients share: any decoder takes the stream, and each part of it can be read at once."""

import asyncio
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.deflate import LEAST, Chunk, deflated, is_accepted

CHUNKS = st.lists(
    st.binary(max_size=3) | st.binary(min_size=LEAST - 2, max_size=LEAST + 2) | st.just(b"event: job\n" * 9000)
)


def compressed(chunks: list[Chunk]) -> list[bytes]:
    async def given_out() -> AsyncIterator[Chunk]:
        for chunk in chunks:
            yield chunk

    async def parts() -> list[bytes]:
        return [part async for part in deflated(given_out())]

    return asyncio.run(parts())


@given(CHUNKS)
def test_what_is_read_is_what_was_sent(sent: list[bytes]) -> None:
    decoder = zlib.decompressobj()
    *parts, end = compressed([*map(Chunk, sent)])
    assert [decoder.decompress(part) for part in parts] == sent, "each is read as soon as it comes"
    assert decoder.decompress(end) == b""
    assert decoder.eof, "the end and the checksum of all are right"


def test_a_chunk_is_compressed_once_for_all_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk, made, make = Chunk(b"event: job\n" * 9000), [], zlib.compressobj
    monkeypatch.setattr(zlib, "compressobj", lambda *given, **more: made.append(given) or make(*given, **more))
    one, two = compressed([chunk]), compressed([Chunk(b"id: 1\n\n"), chunk])
    assert len(made) == 1
    assert len(one[0]) < len(chunk) / 50
    assert two[1] == one[0][2:], "without the header"


@pytest.mark.parametrize(
    ("encodings", "is_it"),
    [("gzip, deflate, br, zstd", True), ("Deflate", True), ("", False), ("identity", False), ("gzip, deflate;q=0", False)],
)
def test_it_is_sent_to_those_who_list_it(encodings: str, is_it: bool) -> None:
    assert is_accepted(encodings) is is_it
