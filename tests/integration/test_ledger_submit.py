"""The way in: one committed row for each request, whatever is repeated, raced or rolled back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from jobs import queries, store
from jobs.errors import JobNotFound, KeyReused
from jobs.model import IdempotencyKey, Job
from jobs.policy import Fixed, RetryPolicy
from jobs.states import State
from jobs.submit import Key, Submission, digest_of, submit, submit_each
from runtime.broker import Hint
from runtime.database import snapshot, transaction
from tests import make
from tests.clock import Clock

pytestmark = pytest.mark.usefixtures("ledger")

Configure = Callable[..., None]


def send(key: str | None = None, digest: str = "d", **changes: object) -> Submission:
    with transaction() as session:
        return submit(session, make.order(**changes), Key(key, digest) if key else None)


def count(table: type[Job | IdempotencyKey] = Job) -> int:
    with snapshot() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


def test_the_row_is_the_order(clock: Clock) -> None:
    order = make.order(
        payload={"deep": [{"er": None, "ü": "\u0000😀"}]},
        queue="cpu",
        priority=3,
        run_at=clock.now() + timedelta(hours=1, microseconds=7),
        expires_at=clock.now() + timedelta(days=1),
        timeout=timedelta(seconds=2.5),
        retry=RetryPolicy(max_attempts=3, backoff=Fixed(delay=timedelta(seconds=5))),
        tags=["a", "b"],
        metadata={"k": "v"},
        tenant="acme",
        request_id="req-1",
        traceparent="00-aa-bb-01",
    )
    with transaction() as session:
        made = submit(session, order).job
    with snapshot() as session:
        job = queries.get(session, "acme", made.id)
    for name in ("task", "payload", "queue", "priority", "run_at", "expires_at", "timeout", "tags", "tenant", "request_id"):
        assert getattr(job, name) == getattr(order, name), name
    assert RetryPolicy.model_validate(job.retry) == order.retry
    assert (job.meta, job.traceparent, job.created_at, job.budget_at) == (
        {"k": "v"},
        "00-aa-bb-01",
        clock.now(),
        clock.now(),
    )
    assert (job.state, job.epoch, job.attempt, job.worker) == (State.SCHEDULED, 0, 0, None)


@pytest.mark.parametrize("payload", [None, 0, "", [], {}, "text", 1.5, [[]]])
def test_any_json_is_a_payload(payload: object) -> None:
    job = send(payload=payload).job
    with snapshot() as session:
        assert queries.get(session, "default", job.id).payload == payload


def test_a_request_that_is_rolled_back_leaves_no_row_and_no_hint(sent: list[Hint]) -> None:
    with suppress(RuntimeError), transaction() as session:
        submit(session, make.order(), Key("key", "d"))
        raise RuntimeError("too bad")
    assert (count(), count(IdempotencyKey), sent) == (0, 0, [])
    assert not send("key", "other").replayed


def test_a_payload_that_is_no_json_leaves_nothing(sent: list[Hint]) -> None:
    with pytest.raises(Exception, match=r"not JSON serializable|Out of range"):
        send("key", payload={"x": float("nan")})
    assert (count(), count(IdempotencyKey), sent) == (0, 0, [])


def test_a_repeat_is_answered_with_the_same_job(sent: list[Hint]) -> None:
    first, second = send("key"), send("key")
    assert (first.replayed, second.replayed) == (False, True)
    assert first.job.id == second.job.id
    assert (count(), len(sent)) == (1, 1)


def test_a_repeat_shows_the_job_as_it_is_now(clock: Clock) -> None:
    first = send("key").job
    with transaction() as session:
        store.cancel(session, first.id, clock.now())
    assert send("key").job.state is State.CANCELLED


def test_another_request_with_the_same_key_is_refused(sent: list[Hint]) -> None:
    send("key", "one")
    with pytest.raises(KeyReused):
        send("key", "two")
    assert (count(), len(sent)) == (1, 1)


def test_keys_belong_to_their_tenant() -> None:
    assert not send("key", tenant="a").replayed
    assert not send("key", "other", tenant="b").replayed
    assert count() == 2


def test_a_key_is_forgotten_after_its_time(clock: Clock, configure: Configure) -> None:
    configure(idempotency_window="1h")
    first = send("key", "one")
    clock.advance(timedelta(minutes=59))
    assert send("key", "one").replayed
    clock.advance(timedelta(minutes=1))
    third = send("key", "two")
    assert not third.replayed
    assert third.job.id != first.job.id


def test_twenty_threads_with_one_key_make_one_job(sent: list[Hint]) -> None:
    together = Barrier(20)

    def one(_: int) -> Submission:
        together.wait(10)
        return send("key")

    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(one, range(20)))
    assert len({submission.job.id for submission in made}) == 1
    assert [submission.replayed for submission in made].count(False) == 1
    assert (count(), len(sent)) == (1, 1)


def test_requests_without_a_key_each_make_a_job() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: send(), range(40)))
    assert len({submission.job.id for submission in made}) == count() == 40


def test_ids_rise_in_the_order_of_acceptance() -> None:
    ids = [send().job.id for _ in range(50)]
    assert ids == sorted(ids)
    assert {job_id.version for job_id in ids} == {7}


def test_a_digest_is_of_the_meaning_not_of_the_spelling() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": "1"})
    assert digest_of({"a": [1, 2]}) != digest_of({"a": [2, 1]})
    assert len(digest_of(None)) == 64


def test_no_tenant_sees_anothers_job() -> None:
    job = send(tenant="a").job
    with snapshot() as session:
        assert queries.get(session, "a", job.id).id == job.id
        for tenant, job_id in (("b", job.id), ("a", uuid4()), ("a", UUID(int=0)), ("", job.id)):
            with pytest.raises(JobNotFound):
                queries.get(session, tenant, job_id)


def test_what_comes_in_together_is_each_tenant_s_own_and_a_key_that_is_repeated_in_it_is_one_job() -> None:
    mine, theirs = make.order(tenant="acme"), make.order(tenant="umbrella")
    orders = [(mine, Key("k", "d")), (theirs, Key("k", "d")), (mine, Key("k", "d")), (mine, None), (mine, Key("k", "other"))]
    with transaction() as session:
        first, their, again, keyless, reused = submit_each(session, [*orders])
    assert isinstance(reused, KeyReused)
    made = [answer for answer in (first, their, again, keyless) if isinstance(answer, Submission)]
    assert [answer.replayed for answer in made] == [False, False, True, False]
    assert made[0].job.id == made[2].job.id
    assert [answer.job.tenant for answer in made] == ["acme", "umbrella", "acme", "acme"]
    assert count() == 3
