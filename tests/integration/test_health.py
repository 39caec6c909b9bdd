"""An account's rate and its failures, counted by all processes together in Redis, and by each alone without it."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import NamedTuple

import pytest

from runtime import scripts
from runtime.broker import app
from tasks import health
from tasks.health import circuit, limiter
from tasks.health.circuit import Circuits, Said
from tasks.health.limiter import Interval, Limiter, Wait
from tests.clock import Clock
from tests.servers import Valkey, wait_until

Configure = Callable[..., None]


class Calls(NamedTuple):
    number: int
    per: timedelta


FIFTY = Calls(50, timedelta(seconds=1))
DAILY = Calls(500, timedelta(days=1))


@pytest.fixture
def redis(valkey: Valkey, configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Valkey]:
    """This process's scripts run in the session's Valkey."""
    configure(broker_url=valkey.url)
    monkeypatch.setattr(app.conf, "broker_url", valkey.url)
    monkeypatch.setattr(app.conf, "broker_write_url", valkey.url)
    scripts.redis.__init__()
    yield valkey
    scripts.redis.__init__()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no Redis."""

    def away(*_: object) -> None:
        raise scripts.Away

    monkeypatch.setattr(scripts.redis, "run", away)


@pytest.fixture(params=["redis", "alone"])
def figures(request: pytest.FixtureRequest) -> None:
    """The figures are in Redis, and then in this process."""
    request.getfixturevalue(request.param)


def reserve_for(kept: Limiter, calls: Calls, count: int) -> list[float]:
    waits = []
    for _ in range(count):
        try:
            waits.append(kept.reserve("stripe-eu", calls))
        except Wait as full:
            waits.append(-full.seconds)
    return waits


@pytest.mark.usefixtures("figures")
def test_calls_are_let_go_at_even_intervals_and_who_would_wait_long_is_sent_away() -> None:
    started = time.monotonic()
    waits = reserve_for(Limiter(), FIFTY, 40)
    places = 50 * (limiter.PATIENCE + time.monotonic() - started)
    granted = [wait for wait in waits if wait >= 0]
    assert granted[0] == 0
    assert max(granted) <= limiter.PATIENCE
    assert 24 <= len(granted) <= 1 + places
    assert len(granted) == 40 or waits[-1] < -limiter.PATIENCE + 0.1


@pytest.mark.usefixtures("figures")
def test_a_daily_quota_lets_a_tenth_go_at_once() -> None:
    waits = reserve_for(Limiter(), DAILY, 52)
    assert waits[:50] == [0] * 50
    assert waits[50] < 0
    assert -waits[50] == pytest.approx(86_400 / 451, rel=0.01)


@pytest.mark.parametrize("calls", [FIFTY, DAILY, Calls(1, timedelta(minutes=1)), Calls(100, timedelta(minutes=15))])
def test_no_stretch_of_the_rate_s_time_has_more_calls_than_it_allows(calls: Calls, clock: Clock, alone: None) -> None:
    kept, gone = Limiter(), []
    for _ in range(3 * calls.number):
        try:
            gone.append(clock.monotonic() + kept.reserve("stripe-eu", calls))
        except Wait as full:
            clock.advance(full.seconds)
            gone.append(clock.monotonic() + kept.reserve("stripe-eu", calls))
    per = calls.per.total_seconds()
    assert all(later - earlier >= per * (1 - 1e-9) for earlier, later in zip(gone, gone[calls.number :], strict=False))


def test_all_processes_share_the_rate(redis: Valkey) -> None:
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda kept: reserve_for(kept, FIFTY, 40), [Limiter() for _ in range(8)]))
    places = 50 * (limiter.PATIENCE + time.monotonic() - started)
    granted = [wait for waits in found for wait in waits if wait >= 0]
    assert 24 <= len(granted) <= 1 + places, "each alone would have let as many go"


@pytest.mark.usefixtures("redis")
def test_the_use_of_a_rate_is_shown() -> None:
    assert limiter.used("stripe-eu") == 0
    reserve_for(Limiter(), DAILY, 20)
    assert limiter.used("stripe-eu") == pytest.approx(2, rel=0.1)


def fail(kept: Circuits, times: int, *, took: float = 0.0) -> list[bool]:
    """Whether each opened the circuit."""
    return [kept.count("stripe-eu", failed=True, took=took, words="503") is Said.OPEN for _ in range(times)]


def work(kept: Circuits, times: int) -> list[bool]:
    return [kept.count("stripe-eu", failed=False, took=0.0) is Said.OPEN for _ in range(times)]


@pytest.mark.usefixtures("figures")
def test_ten_failures_in_a_row_open_the_circuit_once() -> None:
    kept = Circuits()
    work(kept, 100)
    assert fail(kept, 19) == [False] * 9 + [True] + [False] * 9


@pytest.mark.usefixtures("figures")
def test_a_success_between_ends_the_row() -> None:
    kept = Circuits()
    work(kept, 20)
    assert not any(fail(kept, 9) + work(kept, 1) + fail(kept, 9))


@pytest.mark.usefixtures("figures")
def test_most_of_enough_calls_open_the_circuit_without_a_row() -> None:
    kept = Circuits()
    opened = []
    for _ in range(4):
        opened += fail(kept, 4) + work(kept, 1)
    assert opened.index(True) == 10, "eight of the first ten failed, but a success does not open it: the next failure does"


@pytest.mark.usefixtures("figures")
def test_calls_that_began_before_the_circuit_opened_do_not_count_again() -> None:
    kept = Circuits()
    fail(kept, 10)
    late = [kept.count("stripe-eu", failed=True, took=5.0) for _ in range(30)]
    assert late == [Said.LATE] * 30
    assert fail(kept, 10) == [False] * 9 + [True]


def test_old_calls_count_for_less(clock: Clock, alone: None) -> None:
    kept = Circuits()
    work(kept, 3)
    clock.advance(3600)
    opened = []
    for _ in range(2):
        opened += fail(kept, 4) + work(kept, 1)
    assert not any(opened)
    assert fail(kept, 1) == [True]


def test_all_processes_count_together_and_the_last_error_is_kept(redis: Valkey) -> None:
    assert circuit.last_error("stripe-eu") is None
    opened = [fail(Circuits(), 5), fail(Circuits(), 5)]
    assert opened == [[False] * 5, [False] * 4 + [True]]
    said = circuit.last_error("stripe-eu")
    assert said is not None
    assert said[0] == "503"


def test_a_flushed_redis_forgets_the_count_and_nothing_else(redis: Valkey) -> None:
    import redis as client  # noqa: PLC0415 - the fixture has its name

    kept = Circuits()
    fail(kept, 9)
    with client.Redis.from_url(redis.url) as connection:
        connection.flushall()
        connection.script_flush()
    assert fail(kept, 10) == [False] * 9 + [True]


def test_without_redis_a_process_goes_by_its_own_figures_and_comes_back(redis: Valkey) -> None:
    kept = Limiter()
    assert kept.reserve("stripe-eu", FIFTY) == 0
    redis.kill()
    try:
        assert len([wait for wait in reserve_for(kept, FIFTY, 40) if wait >= 0]) < 40
        assert limiter.used("stripe-eu") is None
    finally:
        redis.start()
    wait_until(lambda: limiter.used("stripe-eu") is not None, 5, "the scripts to find Redis again")


def test_a_frozen_redis_costs_a_call_no_more_than_a_moment(redis: Valkey) -> None:
    kept = Limiter()
    kept.reserve("stripe-eu", FIFTY)
    with redis.frozen(), ThreadPoolExecutor(1) as pool:
        pool.submit(kept.reserve, "stripe-eu", FIFTY).result(timeout=3)


def test_an_interval_keeps_a_little_back_for_what_lies_between_us_and_the_provider() -> None:
    assert Interval.of(FIFTY) == (1 / (50 * limiter.MARGIN), 0)


def test_a_call_whose_process_was_held_up_lets_its_place_go(alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Account(NamedTuple):
        name: str = "stripe-eu"
        rate: Calls = FIFTY

    asked: list[str] = []
    moments = iter([0.0, 1.0, 1.0, 1.2, 1.2, 1.2])  # a second, a fifth of one, and nothing between the place and its call
    monkeypatch.setattr(health.rates, "reserve", lambda name, _: asked.append(name) or 0.0)
    monkeypatch.setattr(health.holds.memory, "find", lambda *_, **__: None)
    monkeypatch.setattr(health.clock, "monotonic", lambda: next(moments))
    health.admit(Account())
    assert len(asked) == 3
