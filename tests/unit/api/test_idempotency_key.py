"""Headers that come with a request: Idempotency-Key, bare or as a structured string, and traceparent."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dependencies import traceparent
from api.idempotency import once, read
from api.problems import Refused
from jobs.idempotency import Key

visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)


def key(header: str | None) -> str | None:
    return asyncio.run(read(header))


@given(visible.filter(lambda text: not (len(text) > 1 and text[0] == text[-1] == '"')))
def test_a_key_is_the_same_with_and_without_quotes(text: str) -> None:
    assert key(text) == key(f'"{text}"') == text


def test_without_the_header_there_is_none() -> None:
    assert key(None) is None


@pytest.mark.parametrize(
    "header", ["", '""', " ", "a b", "a\tb", "é", "\x7f", "\x00", "a" * 256, '"' + "a" * 256 + '"', '"a b"', "\xff", "💩"]
)
def test_what_is_no_key_is_refused(header: str) -> None:
    with pytest.raises(Refused, match="1 to 255 visible ASCII") as refused:
        key(header)
    assert refused.value.kind == "malformed-request"


@pytest.mark.parametrize(
    "header", ['"', "a", "a" * 255, '"' + "a" * 255 + '"', 'say"it', "8e03978e-40d5-43e8-bc93-6894a57f9324"]
)
def test_the_shortest_and_the_longest_are_taken(header: str) -> None:
    assert key(header) == (header[1:-1] if len(header) > 1 and header[0] == '"' else header)


SOUND = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (SOUND, SOUND),
        (None, None),
        ("", None),
        (SOUND.upper(), None),
        (SOUND + "-x", None),
        (f" {SOUND}", None),
        ("é" * 55, None),
    ],
)
def test_a_traceparent_is_kept_if_it_is_one_and_else_forgotten(header: str | None, kept: str | None) -> None:
    assert asyncio.run(traceparent(header)) == kept


class Work:
    """What is asked for with a key: it ends when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def do(self) -> str:
        self.begun += 1
        return await self.end


def asked(work: Work, tenant: str = "ours", key: str | None = "k", digest: str = "d") -> "asyncio.Task[tuple[str, bool]]":
    return asyncio.create_task(once(tenant, Key(key, digest) if key else None, work.do))


def test_repeats_of_a_request_join_it_while_it_is_not_answered() -> None:
    async def ask() -> None:
        work = Work()
        asks = [asked(work) for _ in range(1000)]
        await asyncio.sleep(0)
        work.end.set_result("made")
        assert await asyncio.gather(*asks) == [("made", False), *[("made", True)] * 999]
        assert work.begun == 1
        assert await asked(work) == ("made", False), "what comes later asks the ledger, which remembers"
        assert work.begun == 2

    asyncio.run(ask())


def test_another_request_with_the_key_is_refused_until_the_first_is_answered() -> None:
    async def ask() -> None:
        work = Work()
        first = asked(work)
        with pytest.raises(Refused) as refused:
            await asked(work, digest="another")
        assert (refused.value.kind, refused.value.headers) == ("in-flight", {"Retry-After": "1"})
        others = [asked(work, tenant="theirs"), asked(work, key="l"), asked(work, key=None), asked(work, key=None)]
        await asyncio.sleep(0)  # each request gets its turn
        await asyncio.sleep(0)  # and what it began
        assert work.begun == 5
        work.end.set_result("made")
        assert await asyncio.gather(first, *others) == [("made", False)] * 5
        assert await asked(work, digest="another") == ("made", False)

    asyncio.run(ask())


def test_who_joined_hears_of_the_failure_too_and_the_next_begins_anew() -> None:
    async def ask() -> None:
        work = Work()
        asks = [asked(work), asked(work)]
        await asyncio.sleep(0)
        work.end.set_exception(KeyError("no"))
        assert [repr(answer) for answer in await asyncio.gather(*asks, return_exceptions=True)] == ["KeyError('no')"] * 2
        assert await asked(second := _ended(), digest="another") == ("made", False)
        assert second.begun == 1

    asyncio.run(ask())


def test_who_joined_is_answered_even_if_the_first_to_ask_leaves() -> None:
    async def ask() -> None:
        work = Work()
        first, second = asked(work), asked(work)
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        work.end.set_result("made")
        assert await second == ("made", True)

    asyncio.run(ask())


def _ended() -> Work:
    work = Work()
    work.end.set_result("made")
    return work
