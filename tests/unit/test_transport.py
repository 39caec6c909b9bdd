"""The Redis transport: what it believes of a message, and what it makes of it."""

from uuid import UUID, uuid4

import fakeredis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection
from kombu.transport import redis, virtual

from runtime import transport
from runtime.broker import Hint, Outlet, app
from runtime.transport import LONGEST, Rubbish
from tests import rubbish

NO_HINTS = {
    "long": ["5 MB", "a message of 5 MB", "200,000 deep", "4,000 deep"],
    "unreadable": [
        "a task with half a character",
        "not JSON",
        "empty",
        "binary",
        "half a message",
        "a pickle",
        "an id that is no UUID",
    ],
    "shapeless": ["a number", "null", "a list", "a string", "an empty object", "no headers", "headers are a list", "no id"],
    "taskless": ["a task that is a list"],
}


@pytest.mark.parametrize(("why", "kind"), [(why, kind) for why, kinds in NO_HINTS.items() for kind in kinds])
def test_what_is_no_hint_is_dropped_for_a_reason(why: str, kind: str) -> None:
    with pytest.raises(Rubbish, match=why):
        transport.read(rubbish.KINDS[kind])


@given(st.binary(max_size=100) | st.recursive(st.none() | st.text(), st.lists).map(repr).map(str.encode))
def test_no_message_raises_anything_but_rubbish(raw: bytes) -> None:
    with pytest.raises(Rubbish):
        transport.read(raw)


def test_depth_is_no_way_in() -> None:
    with pytest.raises(Rubbish, match="unreadable"):
        transport.read(b"[" * (LONGEST - 1))


def test_a_hint_is_read_as_it_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    server = fakeredis.FakeServer()
    monkeypatch.setattr(redis.Channel, "_get_client", lambda _: fakeredis.FakeStrictRedis)
    monkeypatch.setattr(redis.Channel, "_get_pool", lambda *_, **__: None)
    monkeypatch.setattr(redis.Channel, "_create_client", lambda *_, **__: fakeredis.FakeStrictRedis(server=server))
    job_id = uuid4()
    Outlet().publish([Hint(job_id, "test.echo", "default", 3)])
    with fakeredis.FakeStrictRedis(server=server) as client:
        (raw,) = client.lrange("default", 0, -1)
    assert len(raw) * 4 < LONGEST
    assert transport.read(raw) == (job_id, "test.echo")


def test_a_worker_gets_nothing_that_the_message_said_but_job_and_task() -> None:
    job_id = str(uuid4())
    raw = rubbish.message(headers={"id": job_id, "eta": "tomorrow", "timelimit": 7, "shadow": {}}, body="%%%")
    found, task = transport.read(raw)
    made = virtual.Message(transport._message(str(found), task, "default", "a tag"), Connection("memory://").channel())
    assert found == UUID(job_id)
    assert made.headers == {"lang": "py", "id": job_id, "root_id": job_id, "task": "probe.run", "ignore_result": True}
    args, kwargs, embed = app.amqp.as_task_v2(job_id, "probe.run").body
    assert made.decode() == [[*args], kwargs, embed], "what Celery sends for a call without arguments"


@pytest.mark.parametrize(
    ("url", "cls"),
    [
        ("redis://localhost", transport.Transport),
        ("rediss://localhost", transport.Transport),
        ("sentinel://localhost", transport.SentinelTransport),
    ],
)
def test_kombu_uses_it_for_its_own_schemes(url: str, cls: type) -> None:
    assert Connection(url, ssl=True).transport.__class__ is cls
    assert issubclass(cls.Channel, transport.Channel)
    assert not cls.Channel.ack_emulation
