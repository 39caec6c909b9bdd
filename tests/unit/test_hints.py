"""Hints: ordinary Celery messages in the lists where kombu looks for them."""

import base64
import json
from collections.abc import Iterator
from itertools import product
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import fakeredis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu.transport.redis import Channel

from runtime import families
from runtime.broker import Hint, Lanes, Outlet, app

PRIORITIES = (0, 1, 2, 3)
REDIS = families.Redis()


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[fakeredis.FakeRedis]:
    """A Redis in memory, behind kombu's real transport."""
    server = fakeredis.FakeServer()
    monkeypatch.setattr(Channel, "_get_client", lambda _: fakeredis.FakeStrictRedis)
    monkeypatch.setattr(Channel, "_get_pool", lambda *_, **__: None)
    monkeypatch.setattr(Channel, "_create_client", lambda *_, **__: fakeredis.FakeStrictRedis(server=server))
    with fakeredis.FakeStrictRedis(server=server) as client:
        yield client


def messages(redis: fakeredis.FakeRedis, queue: str = "default") -> list[dict[str, Any]]:
    """What lies in a queue's lists, in the order in which workers take it."""
    return [json.loads(raw) for key in REDIS.keys(queue) for raw in reversed(redis.lrange(key, 0, -1))]


def test_the_lists_are_those_where_kombu_looks() -> None:
    options = app.conf.broker_transport_options
    channel = SimpleNamespace(sep=Channel.sep, priority_steps=options["priority_steps"])
    channel.priority = lambda n: Channel.priority(channel, n)
    for queue in ("default", "cpu", "ünïcode queue"):
        kombus = [Channel._q_for_pri(channel, queue, step) for step in options["priority_steps"]]
        assert REDIS.keys(queue) == kombus
    assert sorted(REDIS.steps) == options["priority_steps"]
    assert "sep" not in options


def test_a_hint_is_the_message_that_celery_itself_would_send(redis: fakeredis.FakeRedis) -> None:
    job_id = uuid4()
    Outlet().publish([Hint(job_id, "test.echo", "default", 2)])
    (message,) = messages(redis)
    celerys = app.amqp.as_task_v2(str(job_id), "test.echo", argsrepr="", kwargsrepr="", ignore_result=True, origin="treadle")
    assert message["headers"] | {"stamped_headers": None} == celerys.headers | {"stamped_headers": None}
    assert message["properties"]["correlation_id"] == str(job_id)
    assert message["properties"]["priority"] == 3
    assert message["properties"]["delivery_info"]["routing_key"] == "default"
    assert message["content-type"] == "application/json"


def test_a_hint_carries_no_payload(redis: fakeredis.FakeRedis) -> None:
    Outlet().publish([Hint(uuid4(), "test.echo", "default", 1)])
    (message,) = messages(redis)
    args, kwargs, _ = json.loads(base64.b64decode(message["body"]))
    assert (args, kwargs) == ([], {})
    assert len(json.dumps(message)) < 2000


def test_workers_take_important_hints_first_and_equal_ones_in_order(redis: fakeredis.FakeRedis) -> None:
    hints = [Hint(uuid4(), "test.echo", "default", priority) for _, priority in product(range(3), PRIORITIES)]
    Outlet().publish(hints)
    taken = [UUID(message["headers"]["id"]) for message in messages(redis)]
    assert taken == [hint.job_id for hint in sorted(hints, key=lambda hint: -hint.priority)]


def test_the_lanes_show_what_lies_in_the_broker(redis: fakeredis.FakeRedis) -> None:
    hints = [Hint(uuid4(), "test.echo", "cpu", priority) for priority in PRIORITIES]
    Outlet().publish(hints)
    lanes = Lanes()
    assert lanes.depth("cpu") == 4
    assert lanes.depth("default") == 0
    assert lanes.present("cpu") == {hint.job_id for hint in hints}
    redis.lpush("cpu", b"rubbish", b"{}", b'{"headers": {"id": "x"}}', b'{"headers": []}', b"\xff", b"null")
    assert lanes.depth("cpu") == 10
    assert lanes.present("cpu") == {hint.job_id for hint in hints}
    lanes.close()


@given(st.binary(max_size=60) | st.text(max_size=30).map(str.encode))
def test_no_rubbish_in_a_lane_can_break_the_look_at_it(raw: bytes) -> None:
    assert list(families._jobs([raw])) == []


@pytest.mark.parametrize(
    "headers", ["[]", "null", "{}", '{"id": null}', '{"id": "x"}', '"id"', "1", '{"id": 5}', "[" * 5000]
)
def test_no_json_in_a_lane_can_break_the_look_at_it(headers: str) -> None:
    assert list(families._jobs([f'{{"headers": {headers}}}'.encode()])) == []
