"""The ledger against a plain model of it: random moves in any order, by workers that repeat, come late and die."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine, select

from jobs import attempts, flow, liveness, queues, store
from jobs.claims import Claim
from jobs.errors import KeyReused
from jobs.model import Attempt, Job
from jobs.outcome import Failed, Snoozed, Stopped, Succeeded, TryAgain, Verdict
from jobs.states import FINAL, Ending, Reason, State
from jobs.submit import Key, submit
from runtime.broker import Hint
from runtime.database import snapshot, transaction
from runtime.settings import settings as our_settings
from tests import make
from tests.clock import Clock

WINDOW, POISON, WORKERS = 3, 3, 3
KEPT = timedelta(hours=24)
UNSPENT = {Ending.SNOOZED, Ending.HANDED_BACK, Ending.LOST}


def _unspent(attempt: Attempt) -> bool:
    """A try that counts for nothing: it went back without having failed."""
    return attempt.outcome in UNSPENT and attempt.retry_at is not None


picks = st.integers(0, 999)
"""Which of the things there are: the remainder decides, so that a failing run shrinks well."""


@dataclass
class Model:
    """What a job should be."""

    id: UUID
    priority: int
    run_at: datetime
    expires_at: datetime | None
    state: State = State.SCHEDULED
    reason: Reason | None = None
    epoch: int = 0
    attempt: int = 0
    budget_from: int = 0
    crashes: int = 0
    worker: UUID | None = None
    cancel_requested: bool = False
    endings: list[Ending | None] = field(default_factory=list)

    def end(self, state: State, ending: Ending, reason: Reason | None = None) -> None:
        self.state, self.reason, self.worker = state, reason, None
        self.endings[-1] = ending

    def go_back(self, ending: Ending, run_at: datetime, *, spent: bool = True) -> None:
        if self.cancel_requested:
            self.end(State.CANCELLED, Ending.LOST if ending is Ending.LOST else Ending.CANCELLED)
        else:
            self.end(State.SCHEDULED, ending)
            self.run_at = run_at
            self.attempt -= 0 if spent else 1

    def in_row(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "endings"}


class Ledger(RuleBasedStateMachine):
    """Each rule does one thing to the ledger and says beforehand what should come of it."""

    def __init__(self, engine: Engine, clock: Clock, sent: list[Hint]) -> None:
        super().__init__()
        make.empty(engine)
        sent.clear()
        self.clock, self.sent = clock, sent
        self.jobs: dict[UUID, Model] = {}
        self.keys: dict[str, tuple[str, UUID, datetime]] = {}
        self.claims: list[Claim] = []
        self.paused = False
        self.was: dict[UUID, tuple[State, int]] = {}
        self.last = ""

    # what the model says

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def room(self, priority: int) -> int:
        hinted = sum(job.state is State.QUEUED and job.priority >= priority for job in self.jobs.values())
        return 0 if self.paused else WINDOW - hinted

    def due(self, least: int) -> list[Model]:
        ready = [job for job in self.jobs.values() if job.state is State.SCHEDULED and job.run_at <= self.now]
        return sorted((job for job in ready if job.priority >= least), key=lambda job: (-job.priority, job.run_at, job.id))

    def going(self) -> list[Model]:
        """What the next feed releases: each job for which those above it leave room."""
        going: list[Model] = []
        for job in self.due(0):
            if len(going) < self.room(job.priority):
                going.append(job)
        return going

    def holds(self, claim: Claim) -> bool:
        job = self.jobs[claim.job_id]
        return (job.state, job.epoch, job.worker) == (State.RUNNING, claim.epoch, claim.worker)

    def any_job(self, pick: int) -> Model:
        return list(self.jobs.values())[pick % len(self.jobs)]

    # what happens

    @rule(
        priority=st.integers(0, 3),
        delay=st.sampled_from([0, 0, 0, 5, 60]),
        lifetime=st.sampled_from([None, None, 10, 100]),
        key=st.sampled_from([None, None, "k1", "k2"]),
        digest=st.sampled_from(["same", "same", "other"]),
    )
    def submit(self, priority: int, delay: float, lifetime: float | None, key: str | None, digest: str) -> None:
        self.last = "submit"
        run_at = self.now + timedelta(seconds=delay)
        expires_at = None if lifetime is None else self.now + timedelta(seconds=lifetime)
        order = make.order(priority=priority, run_at=run_at if delay else None, expires_at=expires_at)
        earlier = self.keys.get(key or "")
        known = earlier if earlier is not None and earlier[2] > self.now else None
        straight = delay == 0 and self.room(priority) > 0 and not self.due(priority)
        offered = len(self.sent)
        flow.window.__init__()
        try:
            with transaction() as session:
                made = submit(session, order, Key(key, digest) if key else None)
        except KeyReused:
            assert known is not None
            assert known[0] != digest
            return
        if known is not None:
            assert made.replayed
            assert (known[0], known[1]) == (digest, made.job.id)
            return
        assert not made.replayed
        state = State.QUEUED if straight else State.SCHEDULED
        self.jobs[made.job.id] = Model(made.job.id, priority, run_at, expires_at, state)
        assert [hint.job_id for hint in self.sent[offered:]] == ([made.job.id] if straight else [])
        if key is not None:
            self.keys[key] = (digest, made.job.id, self.now + KEPT)

    @rule()
    def feed(self) -> None:
        self.last = "feed"
        going = self.going()
        offered = len(self.sent)
        with transaction() as session:
            assert flow.feed(session, "default", self.now) == len(going)
        assert [hint.job_id for hint in self.sent[offered:]] == [job.id for job in going]
        for job in going:
            job.state = State.QUEUED

    @precondition(lambda self: self.sent)
    @rule(pick=picks, newest=st.booleans(), worker=st.integers(1, WORKERS))
    def a_hint_arrives(self, pick: int, newest: bool, worker: int) -> None:
        self.last = "claim"
        hint = self.sent[-1] if newest else self.sent[pick % len(self.sent)]
        job = self.jobs[hint.job_id]
        fresh = job.expires_at is None or job.expires_at > self.now or job.attempt > 0
        with transaction() as session:
            taken = make.claim(session, job.id, UUID(int=worker), self.now)
        assert (taken is not None) == (job.state is State.QUEUED and not self.paused and fresh)
        if taken is not None:
            job.state, job.worker = State.RUNNING, UUID(int=worker)
            job.epoch += 1
            job.attempt += 1
            job.endings.append(None)
            self.claims.append(Claim(job.id, job.epoch, UUID(int=worker)))

    def some_claim(self, pick: int, newest: bool) -> tuple[Claim, Model, bool]:
        claim = self.claims[-1] if newest else self.claims[pick % len(self.claims)]
        return claim, self.jobs[claim.job_id], self.holds(claim)

    @precondition(lambda self: self.claims)
    @rule(pick=picks, newest=st.booleans(), seconds=st.sampled_from([0, 5, 60]), verdict=st.integers(0, 5))
    def a_worker_settles(self, pick: int, newest: bool, seconds: float, verdict: int) -> None:
        self.last = "settle"
        claim, job, held = self.some_claim(pick, newest)
        delay = timedelta(seconds=seconds)
        verdicts: Sequence[Verdict] = (
            Succeeded({"n": 1}),
            TryAgain(delay, make.ERROR),
            Snoozed(delay, "rate"),
            Failed(Reason.EXHAUSTED, make.ERROR),
            Stopped(),
            TryAgain(delay, make.ERROR),
        )
        with transaction() as session:
            done = attempts.settle(session, claim, verdicts[verdict], self.now)
        assert (done is not None) == held
        if held:
            match verdicts[verdict]:
                case Succeeded():
                    job.end(State.SUCCEEDED, Ending.SUCCEEDED)
                case TryAgain():
                    job.go_back(Ending.RETRY, self.now + delay)
                case Snoozed():
                    job.go_back(Ending.SNOOZED, self.now + delay, spent=False)
                case Failed():
                    job.end(State.FAILED, Ending.FAILED, Reason.EXHAUSTED)
                case Stopped():
                    job.end(State.CANCELLED, Ending.CANCELLED)

    @precondition(lambda self: self.claims)
    @rule(pick=picks, newest=st.booleans())
    def a_worker_hands_back(self, pick: int, newest: bool) -> None:
        self.last = "hand back"
        claim, job, held = self.some_claim(pick, newest)
        with transaction() as session:
            assert (attempts.hand_back(session, claim, self.now) is not None) == held
        if held:
            job.go_back(Ending.HANDED_BACK, self.now, spent=False)

    @precondition(lambda self: self.claims)
    @rule(pick=picks, guilty=st.booleans())
    def a_worker_dies(self, pick: int, guilty: bool) -> None:
        self.last = "rescue"
        _, job, held = self.some_claim(pick, newest=False)
        with snapshot() as session:
            row = store.find(session, job.id)
        assert row is not None
        if not held:
            return
        crashes = job.crashes + 1 if guilty else min(job.crashes + 1, POISON - 1)
        with transaction() as session:
            assert liveness.rescue(session, row, poison=POISON, guilty=guilty) is not None
        if crashes >= POISON:
            job.end(State.FAILED, Ending.LOST, Reason.POISON)
            job.crashes = crashes
        else:
            job.crashes = job.crashes if job.cancel_requested else crashes
            job.go_back(Ending.LOST, self.now, spent=False)

    @precondition(lambda self: self.jobs)
    @rule(pick=picks)
    def someone_cancels(self, pick: int) -> None:
        self.last = "cancel"
        job = self.any_job(pick)
        with transaction() as session:
            answer = store.cancel(session, job.id, self.now)
        assert (answer is None) == (job.state in FINAL)
        if job.state not in FINAL:
            job.cancel_requested = True
            job.state = job.state if job.state is State.RUNNING else State.CANCELLED

    @precondition(lambda self: self.jobs)
    @rule(pick=picks)
    def someone_retries_by_hand(self, pick: int) -> None:
        self.last = "revive"
        job = self.any_job(pick)
        with transaction() as session:
            answer = store.revive(session, job.id, self.now)
        assert (answer is not None) == (job.state in FINAL - {State.SUCCEEDED})
        if answer is not None:
            job.state, job.reason, job.crashes, job.cancel_requested = State.SCHEDULED, None, 0, False
            job.run_at, job.expires_at, job.budget_from = self.now, None, job.attempt

    @rule()
    def the_overdue_expire(self) -> None:
        self.last = "expire"
        overdue = {
            job.id
            for job in self.jobs.values()
            if job.state in {State.SCHEDULED, State.QUEUED}
            and job.attempt == 0
            and job.expires_at is not None
            and job.expires_at <= self.now
        }
        with transaction() as session:
            gone = store.expire(session, list(self.jobs), self.now)
        assert {job.id for job in gone} == overdue
        for job_id in overdue:
            self.jobs[job_id].state = State.EXPIRED

    @rule()
    def hints_are_lost_and_sent_again(self) -> None:
        self.last = "reoffer"
        queued = {job.id for job in self.jobs.values() if job.state is State.QUEUED}
        with transaction() as session:
            again = store.reoffer(session, list(self.jobs), self.now)
            flow.offer(session, again)
        assert {hint.job_id for hint in again} == queued

    @rule(paused=st.booleans())
    def the_queue_is_paused_or_resumed(self, paused: bool) -> None:
        self.last = "pause"
        with transaction() as session:
            (queues.pause if paused else queues.resume)(session, "default")
        self.paused = paused

    @rule(seconds=st.sampled_from([1, 5, 30, 120, 90_000]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(hours=st.sampled_from([-1, 1]))
    def the_clock_is_set(self, hours: float) -> None:
        self.clock.step(timedelta(hours=hours))

    # what holds at all times

    @invariant()
    def the_ledger_is_as_the_model_says(self) -> None:
        with snapshot() as session:
            rows = {job.id: job for job in session.scalars(select(Job))}
            attempts = list(session.scalars(select(Attempt).order_by(Attempt.job_id, Attempt.epoch)))
        assert rows.keys() == self.jobs.keys()
        for job_id, model in self.jobs.items():
            row, tries = rows[job_id], [attempt for attempt in attempts if attempt.job_id == job_id]
            assert {name: getattr(row, name) for name in model.in_row()} == model.in_row()
            assert [attempt.outcome for attempt in tries] == model.endings
            self.check(row, tries)
        assert sum(Counter(row.state for row in rows.values()).values()) == len(self.jobs)
        self.was = {row.id: (row.state, row.epoch) for row in rows.values()}

    def check(self, row: Job, tries: list[Attempt]) -> None:
        """Rules that hold whatever the model says."""
        assert [attempt.epoch for attempt in tries] == list(range(1, row.epoch + 1)), "an epoch is one attempt's"
        assert row.attempt == sum(not _unspent(attempt) for attempt in tries)
        assert sum(attempt.finished_at is None for attempt in tries) == (row.state is State.RUNNING), "one live claim"
        assert (row.finished_at is not None) == (row.state in FINAL)
        assert 0 <= row.budget_from <= row.attempt <= row.epoch
        state, epoch = self.was.get(row.id, (row.state, row.epoch))
        assert row.epoch >= epoch
        if state in FINAL and row.state is not state:
            assert self.last == "revive"
        if row.state is State.RUNNING and state is not State.RUNNING:
            assert row.epoch == epoch + 1, "a claim raises the epoch"


@pytest.mark.timeout(3600)
def test_the_ledger_behaves_as_its_model(ledger: Engine, clock: Clock, sent: list[Hint], configure: Any) -> None:
    configure(hint_window=WINDOW)
    assert our_settings().idempotency_window == KEPT
    profile = settings(parent=settings(), max_examples=max(25, settings().max_examples // 4))
    run_state_machine_as_test(lambda: Ledger(ledger, clock, sent), settings=profile)
